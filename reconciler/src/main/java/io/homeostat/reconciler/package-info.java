/** What operator authors use: Reconciler, Result, Context, Operator. */
@NullMarked
package io.homeostat.reconciler;

import org.jspecify.annotations.NullMarked;
