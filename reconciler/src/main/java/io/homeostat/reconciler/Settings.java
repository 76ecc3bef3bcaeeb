package io.homeostat.reconciler;

import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The one table of what can be set from outside (D27), and the parser of command lines. A flag wins over its variable. */
final class Settings {
    /** One row: a flag with a value. */
    private record Setting(String flag, String variable, String value, String text, BiConsumer<Parsed, String> parse) {}

    private static final List<Setting> TABLE = List.of(
            new Setting(
                    "kubeconfig",
                    "KUBECONFIG",
                    "FILE",
                    "the cluster to work on; default: ~/.kube/config, else the cluster around the pod",
                    (parsed, value) -> parsed.kubeconfig = value),
            new Setting(
                    "namespaces",
                    "HOMEOSTAT_NAMESPACES",
                    "NAMES",
                    "work in these namespaces only, joined by commas; default: all",
                    (parsed, value) -> parsed.operator.namespaces(List.of(value.split(",", -1)))),
            new Setting(
                    "workers",
                    "HOMEOSTAT_WORKERS",
                    "N",
                    "objects reconciled at a time, per controller; default: 10",
                    (parsed, value) -> parsed.operator.workers(number(value))),
            new Setting(
                    "reconcile-deadline",
                    "HOMEOSTAT_RECONCILE_DEADLINE",
                    "TIME",
                    "when a reconcile is interrupted; default: 10m",
                    (parsed, value) -> parsed.operator.deadline(duration(value))),
            new Setting(
                    "drain-timeout",
                    "HOMEOSTAT_DRAIN_TIMEOUT",
                    "TIME",
                    "how long a stop waits for reconciles under way; default: 20s",
                    (parsed, value) -> parsed.operator.drainTimeout(duration(value))),
            new Setting(
                    "audit-caches-every",
                    "HOMEOSTAT_AUDIT_CACHES_EVERY",
                    "TIME",
                    "how often caches are compared with the server; default: never",
                    (parsed, value) -> parsed.operator.auditCachesEvery(duration(value))));

    private static final Pattern DURATION = Pattern.compile("([0-9]{1,9})(ms|s|m|h)");

    /** A command line, understood. */
    static final class Parsed {
        private final Operator operator;
        private @Nullable String kubeconfig;
        private boolean kubeconfigIsFlag;
        private boolean help;
        private final Set<Operator.Flag> steps = new LinkedHashSet<>();

        private Parsed(Operator operator) {
            this.operator = operator;
        }

        /** The file, from the flag or the variable; null when neither names one. */
        @Nullable
        String kubeconfig() {
            return kubeconfig;
        }

        /** Whether the file was named on the command line, not just in the environment. */
        boolean kubeconfigIsFlag() {
            return kubeconfigIsFlag;
        }

        boolean help() {
            return help;
        }

        /** The operator's own flags that were given, in that order. */
        List<Operator.Flag> steps() {
            return List.copyOf(steps);
        }
    }

    private Settings() {}

    static boolean knows(String flag) {
        return flag.equals("help") || TABLE.stream().anyMatch(setting -> setting.flag.equals(flag));
    }

    /**
     * Sets {@code operator} as the environment and the command line say.
     *
     * @throws OperatorException with exit code 2 for what is not understood
     */
    static Parsed parse(Operator operator, Map<String, String> environment, String... args) {
        Parsed parsed = new Parsed(operator);
        if (environment.containsKey("HOMEOSTAT_NAMESPACE")) {
            // Whoever means one namespace must not get all for a missing letter.
            throw wrong(
                    operator, "There is no environment variable HOMEOSTAT_NAMESPACE; say HOMEOSTAT_NAMESPACES", null);
        }
        for (Setting setting : TABLE) {
            String value = environment.get(setting.variable);
            if (value != null && !value.isEmpty()) {
                set(parsed, setting, value, "the environment variable " + setting.variable);
            }
        }
        for (int i = 0; i < args.length; i++) {
            String arg = args[i];
            int equals = arg.indexOf('=');
            String flag = equals < 0 ? arg : arg.substring(0, equals);
            String inline = equals < 0 ? null : arg.substring(equals + 1);
            if (flag.equals("--help") || flag.equals("-h")) {
                parsed.help = true;
                continue;
            }
            String bare = flag.startsWith("--") ? flag.substring(2) : "";
            Operator.Flag own = operator.flags().get(bare);
            if (own != null) {
                if (inline != null) {
                    throw wrong(operator, "The flag " + flag + " takes no value, found \"" + inline + "\"", null);
                }
                parsed.steps.add(own);
                continue;
            }
            Setting setting = TABLE.stream()
                    .filter(each -> each.flag.equals(bare))
                    .findFirst()
                    .orElse(null);
            if (setting == null) {
                throw wrong(operator, "There is no flag \"" + arg + "\"", null);
            }
            if (inline == null && i + 1 == args.length) {
                throw wrong(operator, "The flag " + flag + " needs a value: " + flag + " " + setting.value, null);
            }
            String value = inline == null ? args[++i] : inline;
            set(parsed, setting, value, "the flag " + flag);
            if (bare.equals("kubeconfig")) {
                parsed.kubeconfigIsFlag = true;
            }
        }
        return parsed;
    }

    private static void set(Parsed parsed, Setting setting, String value, String where) {
        try {
            if (value.isEmpty()) {
                throw new IllegalArgumentException("it is empty");
            }
            setting.parse.accept(parsed, value);
        } catch (IllegalArgumentException wrong) {
            throw wrong(
                    parsed.operator,
                    "The value \"" + value + "\" of " + where + " is wrong: " + wrong.getMessage(),
                    wrong);
        }
    }

    private static OperatorException wrong(Operator operator, String message, @Nullable Throwable cause) {
        return new OperatorException(2, message + ". --help lists what " + operator.name() + " takes.", cause);
    }

    static String help(Operator operator) {
        List<String[]> rows = new ArrayList<>();
        operator.flags().values().forEach(flag -> rows.add(new String[] {"--" + flag.name(), flag.text()}));
        ClusterSource otherwise = operator.defaultCluster();
        for (Setting setting : TABLE) {
            String text = setting.flag.equals("kubeconfig") && otherwise != null
                    ? "the cluster to work on; default: " + otherwise.describe()
                    : setting.text + " [" + setting.variable + "]";
            rows.add(new String[] {"--" + setting.flag + " " + setting.value, text});
        }
        rows.add(new String[] {"--help", "this text"});
        int width = rows.stream().mapToInt(row -> row[0].length()).max().orElse(0) + 2;
        StringBuilder text = new StringBuilder(operator.name()).append(" takes these flags [environment variables]:\n");
        for (String[] row : rows) {
            text.append("  ")
                    .append(row[0])
                    .append(" ".repeat(width - row[0].length()))
                    .append(row[1])
                    .append('\n');
        }
        return text.toString();
    }

    /** {@code 500ms}, {@code 30s}, {@code 10m}, {@code 1h}, or ISO 8601 ({@code PT30S}). */
    private static Duration duration(String value) {
        Matcher simple = DURATION.matcher(value);
        if (simple.matches()) {
            long amount = Long.parseLong(simple.group(1));
            return switch (simple.group(2)) {
                case "ms" -> Duration.ofMillis(amount);
                case "s" -> Duration.ofSeconds(amount);
                case "m" -> Duration.ofMinutes(amount);
                default -> Duration.ofHours(amount);
            };
        }
        try {
            return Duration.parse(value);
        } catch (DateTimeParseException no) {
            throw new IllegalArgumentException("give a time such as 500ms, 30s, 10m or 1h", no);
        }
    }

    private static int number(String value) {
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException no) {
            throw new IllegalArgumentException("give a whole number", no);
        }
    }
}
