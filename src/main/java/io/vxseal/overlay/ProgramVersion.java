package io.vxseal.overlay;

/** The program's version, as its jar has it. */
public final class ProgramVersion {
    private ProgramVersion() {}

    public static String get() {
        String version = ProgramVersion.class.getPackage().getImplementationVersion();
        return version == null ? "(not packaged)" : version;
    }
}
