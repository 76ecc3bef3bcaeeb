/** The cache: Reflector, DeltaFifo, Indexer, handlers. */
@NullMarked
package io.homeostat.informer;

import org.jspecify.annotations.NullMarked;
