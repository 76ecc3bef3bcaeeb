package io.homeostat.reconciler;

import io.homeostat.core.Stable;
import io.homeostat.workqueue.Cause;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One reconcile that ended.
 *
 * @param number 1 for the operator's first, in the order they ended
 * @param controller the controller's name
 * @param key what was reconciled
 * @param causes why
 * @param attempt 1, and one more for each failure in a row before it
 * @param waited how long the key was ready before a worker took it
 * @param duration how long it took
 * @param writes what was sent to the server, such as {@code status}, {@code Deployment/sample}, {@code Deployment/sample unchanged}
 *     (an apply that the server answered with the version it had), {@code delete Service/sample}
 * @param result what it returned; null when it threw
 * @param error what it threw; null when it returned
 */
@Stable
public record Reconciled(
        long number,
        String controller,
        Object key,
        List<Cause> causes,
        int attempt,
        Duration waited,
        Duration duration,
        List<String> writes,
        @Nullable Result result,
        @Nullable Throwable error) {
    private static final Pattern LINE_BREAK = Pattern.compile("\\s*\\R\\s*");

    /** One line, whatever the reasons and errors contain: {@code #12 default/sample causes=[Deployment/sample modified ×3] 6ms writes=[status] -> done}. */
    @Override
    public String toString() {
        String outcome = error != null ? "error: " + Texts.of(error) : String.valueOf(result);
        String line = "#" + number + " " + key
                + causes.stream().map(Cause::toString).collect(Collectors.joining(", ", " causes=[", "] "))
                + Texts.of(duration)
                + writes.stream().collect(Collectors.joining(", ", " writes=[", "]"))
                + " -> " + outcome;
        return LINE_BREAK.matcher(line).replaceAll(" ");
    }
}
