/** The Memcached operator: one object becomes a Deployment and a Service. */
@NullMarked
package io.homeostat.examples.memcached;

import org.jspecify.annotations.NullMarked;
