package io.homeostat.reconciler;

import io.homeostat.client.ApiClient;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Metrics;
import io.homeostat.informer.SharedInformers;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * What the controllers of one running operator share.
 *
 * @param operator its name, which is the field manager
 * @param byNamespace whether it works in some namespaces only, which may be none now
 * @param limits for controllers that set none
 * @param numbers counts reconciles
 * @param events tells people
 * @param metrics contained
 * @param fatal told when the JVM is not sound any more
 */
record Engine(
        String operator,
        EngineRuntime runtime,
        ApiClient client,
        SharedInformers informers,
        boolean byNamespace,
        Dispatcher.Limits limits,
        List<ReconcileObserver> observers,
        AtomicLong numbers,
        EventRecorder events,
        Metrics metrics,
        Consumer<Throwable> fatal) {}
