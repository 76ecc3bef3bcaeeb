package io.homeostat.virtualruntime;

import io.homeostat.core.Experimental;

/**
 * Ends a thread of a virtual process that has crashed: every call on the runtime throws it, again and again, until the thread has
 * left its work. Code that is run in a virtual world must not swallow it.
 */
@Experimental
public final class ProcessCrashed extends Error {
    ProcessCrashed(String process) {
        super("the virtual process " + process + " has crashed: this thread must end", null, false, false);
    }
}
