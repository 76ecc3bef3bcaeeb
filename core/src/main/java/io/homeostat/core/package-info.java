/** The ports everything else stands on: {@link io.homeostat.core.EngineRuntime} (threads, time, chance) and
 * {@link io.homeostat.core.Transport} (the API server as bytes). No Kubernetes type lives here. */
@NullMarked
package io.homeostat.core;

import org.jspecify.annotations.NullMarked;
