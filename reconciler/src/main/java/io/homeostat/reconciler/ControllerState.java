package io.homeostat.reconciler;

import io.homeostat.core.Experimental;
import java.util.List;

/**
 * What a controller is doing, for people and probes.
 *
 * @param name the controller
 * @param working whether its caches are filled and it takes keys, in one namespace at least where it works in some only
 * @param waitsFor the caches it waits for and why; empty once it works, in each of its namespaces
 * @param ready keys that wait for a worker
 * @param delayed keys that wait for their time, those in backoff included
 * @param running keys under way, stuck ones included
 * @param stuck reconciles that ran past their deadline and ignore interrupts
 */
@Experimental
public record ControllerState(
        String name, boolean working, List<String> waitsFor, int ready, int delayed, int running, int stuck) {}
