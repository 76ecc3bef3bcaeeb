/** The whole engine on virtual time: one seed chooses every interleaving and every fault. */
@NullMarked
package io.homeostat.virtualruntime;

import org.jspecify.annotations.NullMarked;
