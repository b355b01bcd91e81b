package io.vxseal.services;

import java.net.InetAddress;
import java.util.Optional;

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
        private static final int LABELS = 4;
        private static final int TASK_ID_LENGTH = 25;

        /**
         * Reads the service from the name of an endpoint.
         *
         * @return empty for a container that is no service's task
         */
        static Optional<ServiceName> ofEndpoint(String name) {
            String[] labels = name.split("\\.", LABELS);
            return labels.length == LABELS && isTaskId(labels[2]) && !labels[0].isEmpty() && !labels[3].isEmpty()
                    ? Optional.of(new ServiceName(labels[0], labels[3]))
                    : Optional.empty();
        }

        private static boolean isTaskId(String label) {
            return label.length() == TASK_ID_LENGTH
                    && label.chars().allMatch(c -> c >= '0' && c <= '9' || c >= 'a' && c <= 'z');
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
