package io.vxseal.services;

import java.net.InetAddress;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A question to the engine's name server about the services of one network. */
sealed interface Question {
    /** Which name has the endpoint at this address? Of a service's task it is {@code SERVICE.SLOT.TASK.NETWORK}. */
    record NameOf(InetAddress address) implements Question {}

    /** Which addresses has the service? Its VIPs, or without any its tasks'. */
    record AddressesOf(ServiceName service) implements Question {}

    /** Which addresses have the tasks of the service that take new connections? */
    record TasksOf(ServiceName service) implements Question {}

    /**
     * A service on a network, by the names that the engine gave them.
     *
     * @param service without dots
     * @param network which may have dots
     */
    record ServiceName(String service, String network) implements Comparable<ServiceName> {
        /** A service, a slot, a task's id of 25 characters, and a network, of the characters that the engine has in names. */
        private static final Pattern TASK = Pattern.compile("([A-Za-z0-9_-]+)\\.[A-Za-z0-9_-]+\\.[a-z0-9]{25}\\.([A-Za-z0-9_.-]+)");

        /**
         * Reads the service from the name of an endpoint. It may come from a name server outside.
         *
         * @return empty for a container that is no service's task
         */
        static Optional<ServiceName> ofEndpoint(String name) {
            Matcher task = TASK.matcher(name);
            return task.matches() ? Optional.of(new ServiceName(task.group(1), task.group(2))) : Optional.empty();
        }

        /** Returns the service of which {@link #toString} returned the text, and which is on a network of that name. */
        static ServiceName parse(String text) {
            String[] parts = text.split("\\.", 2);
            return new ServiceName(parts[0], parts.length < 2 ? "" : parts[1]);
        }

        @Override
        public int compareTo(ServiceName other) {
            return toString().compareTo(other.toString());
        }

        /** Returns the name that the engine resolves to the service's addresses. */
        @Override
        public String toString() {
            return service + "." + network;
        }
    }
}
