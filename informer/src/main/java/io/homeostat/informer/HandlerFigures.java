package io.homeostat.informer;

import java.util.function.LongSupplier;

/** Gives the figures of handlers. */
interface HandlerFigures {
    /**
     * Those of one handler, which closes them with itself.
     *
     * @param waiting how many keys it has not been told of
     * @param running how many seconds the call that is under way has taken
     */
    InformerMetrics.Handler handler(String name, LongSupplier waiting, LongSupplier running);
}
