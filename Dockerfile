# The plugin's root file system, for those who build with Docker. The recipe is plugin/build alone, so this image and the
# folder that it makes are the same. To make the plugin's folder of it:
#   docker build --output target/plugin/rootfs . && cp config.json target/plugin/
FROM debian:trixie-slim AS build
WORKDIR /src
COPY pom.xml parent.xml config.json ./
COPY .mvn .mvn
COPY plugin plugin
COPY src/main src/main
RUN plugin/build

FROM scratch
COPY --from=build /src/target/plugin/rootfs /
ENTRYPOINT ["/usr/lib/vxseal/bin/vxseal"]
