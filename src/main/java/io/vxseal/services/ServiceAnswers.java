package io.vxseal.services;

import java.net.InetAddress;
import java.util.Collection;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/** What the engine's name server has answered about one service: its addresses, and those of its tasks that take new connections. */
final class ServiceAnswers {
    private Set<InetAddress> addresses = Set.of();
    private Set<InetAddress> tasks = Set.of();
    private boolean hasAddresses;
    private boolean hasTasks;
    private Optional<Long> denied = Optional.empty();

    /** When the question was asked whose answer the tasks are. */
    private long tasksAsked;

    private long emptySince;

    /** When there was last a task among the answers that was not there before. */
    private long grown = Long.MIN_VALUE;

    /** Since when there was no reason to expect that the engine has the service. */
    private long confirmed;

    ServiceAnswers(long now) {
        confirmed = now;
    }

    /** Notes a reason to expect that the engine has the service: a new endpoint of it. */
    void expect(long now) {
        confirmed = now;
    }

    /** Returns when the engine last answered for the service, or there was last a reason to expect that it does. */
    long confirmed() {
        return confirmed;
    }

    /** Returns the service's addresses: its VIPs, or without any its tasks'. */
    Set<InetAddress> addresses() {
        return addresses;
    }

    /** Returns the addresses of its tasks. */
    Set<InetAddress> tasks() {
        return tasks;
    }

    /** Returns whether the addresses are known. */
    boolean hasAddresses() {
        return hasAddresses;
    }

    /** Returns whether addresses and tasks are known, that there is no task included. */
    boolean isComplete() {
        return hasAddresses && hasTasks;
    }

    /** Returns whether an endpoint that the engine named as this service's task may be one: it is among the tasks, or they are unknown. */
    boolean mayHave(InetAddress task, boolean named) {
        return tasks.contains(task) || named && !hasTasks;
    }

    /** Returns when a task last came that was not there before: its service may be a new one of the same name, with another VIP. */
    long grown() {
        return grown;
    }

    /** Returns when the engine last did not have {@code tasks.SERVICE}; empty if it has confirmed the service since. */
    Optional<Long> denied() {
        return denied;
    }

    /** Returns since when no task takes new connections; empty if one does, or that is unknown. */
    Optional<Long> empty() {
        return isEmpty() ? Optional.of(emptySince) : Optional.empty();
    }

    private boolean isEmpty() {
        return hasTasks && tasks.isEmpty();
    }

    /** Takes the service's addresses. They confirm that the engine has the service, so that one denied has no tasks. */
    void takeAddresses(Collection<InetAddress> answer, long now) {
        addresses = Set.copyOf(answer);
        hasAddresses = true;
        confirmed = now;
        if (denied.isPresent()) {
            denied = Optional.empty();
            setTasks(Set.of(), now);
        }
    }

    /**
     * Takes the addresses of the tasks. None means that the engine does not have the name, because no task takes new connections or
     * because the service is gone. The first is certain once the engine has answered for the service's own name.
     *
     * @param asked when; name servers outside may answer late, and what is older than the last answer does not count
     * @return whether these are the tasks now
     */
    boolean takeTasks(Set<InetAddress> answer, long asked, long now) {
        if (hasTasks && asked < tasksAsked) {
            return false;
        }
        tasksAsked = asked;
        if (answer.isEmpty()) {
            if (!isEmpty()) {
                denied = Optional.of(now);
            }
            return false;
        }
        denied = Optional.empty();
        confirmed = now;
        if (!tasks.containsAll(answer)) {
            grown = now;
        }
        setTasks(answer, now);
        return true;
    }

    private void setTasks(Set<InetAddress> now, long time) {
        if (now.isEmpty() && !isEmpty()) {
            emptySince = time;
        }
        tasks = Set.copyOf(now);
        hasTasks = true;
    }

    /** Removes an address, whose endpoint left: the next one there may be another service's. Without a VIP a service has its tasks' addresses. */
    void removeAddress(InetAddress gone, long now) {
        addresses = without(addresses, Set.of(gone));
        if (tasks.contains(gone)) {
            setTasks(without(tasks, Set.of(gone)), now);
        }
    }

    /**
     * Gives up addresses that are other services' by now.
     *
     * @return whether it had any of them
     */
    boolean giveUp(Set<InetAddress> given) {
        Set<InetAddress> before = addresses;
        addresses = without(before, given);
        return !addresses.equals(before);
    }

    private static Set<InetAddress> without(Set<InetAddress> addresses, Set<InetAddress> gone) {
        Set<InetAddress> rest = new HashSet<>(addresses);
        rest.removeAll(gone);
        return Set.copyOf(rest);
    }
}
