/** The keyed work queue: one worker per key, nothing lost until closed. */
@NullMarked
package io.homeostat.workqueue;

import org.jspecify.annotations.NullMarked;
