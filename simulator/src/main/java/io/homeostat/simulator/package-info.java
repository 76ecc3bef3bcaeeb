/** An in-process Kubernetes API server, behind {@code Transport} and over HTTP. */
@NullMarked
package io.homeostat.simulator;

import org.jspecify.annotations.NullMarked;
