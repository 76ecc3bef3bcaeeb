/** JUnit support: the simulator and a real control plane, one test for both. */
@NullMarked
package io.homeostat.testkit;

import org.jspecify.annotations.NullMarked;
