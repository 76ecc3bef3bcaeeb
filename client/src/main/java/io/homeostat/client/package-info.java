/** Kubernetes over HTTP: transports, wire format, and the typed, dynamic and metadata-only client. */
@NullMarked
package io.homeostat.client;

import org.jspecify.annotations.NullMarked;
