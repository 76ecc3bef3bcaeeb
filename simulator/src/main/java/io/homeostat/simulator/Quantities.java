package io.homeostat.simulator;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/** Resource quantities ({@code resource.Quantity}) in their canonical form: {@code 0.5} is {@code 500m}, {@code 1024Mi} is {@code 1Gi}. */
final class Quantities {
    private static final Pattern FORM = Pattern.compile(
            "([+-]?(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+))(?:(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?)|[eE]([+-]?[0-9]+))");
    private static final List<String> BINARY = List.of("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei");
    private static final List<String> DECIMAL = List.of("n", "u", "m", "", "k", "M", "G", "T", "P", "E");
    private static final BigDecimal KIBI = BigDecimal.valueOf(1024);
    private static final int NANO = 9;

    private Quantities() {}

    /**
     * @param value a string or a number
     * @throws Malformed when it is not a quantity
     */
    static String canonical(JsonNode value, String path) {
        String text = value.isString() ? value.stringValue() : Json.text(value);
        Matcher form = FORM.matcher(text);
        if (!form.matches()) {
            throw new Malformed("quantities must match the regular expression"
                    + " '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$' (" + path + ": " + Json.quoted(text) + ")");
        }
        BigDecimal number = new BigDecimal(form.group(1));
        String suffix = form.group(2);
        if (suffix == null) {
            int exponent = Integer.parseInt(form.group(3));
            return decimal(number.scaleByPowerOfTen(exponent), true);
        }
        if (suffix.endsWith("i")) {
            return binary(number.multiply(KIBI.pow(BINARY.indexOf(suffix))));
        }
        return decimal(number.scaleByPowerOfTen(3 * (DECIMAL.indexOf(suffix) - 3)), false);
    }

    /** The value of a quantity in its canonical form. */
    static BigDecimal value(String canonical) {
        Matcher form = FORM.matcher(canonical);
        if (!form.matches()) {
            throw new IllegalArgumentException("not a quantity: " + canonical);
        }
        BigDecimal number = new BigDecimal(form.group(1));
        String suffix = form.group(2);
        if (suffix == null) {
            return number.scaleByPowerOfTen(Integer.parseInt(form.group(3)));
        }
        return suffix.endsWith("i")
                ? number.multiply(KIBI.pow(BINARY.indexOf(suffix)))
                : number.scaleByPowerOfTen(3 * (DECIMAL.indexOf(suffix) - 3));
    }

    /** Below 1024, or with a fraction, a binary quantity is written as a decimal one. */
    private static String binary(BigDecimal value) {
        BigDecimal nano = value.setScale(NANO, RoundingMode.UP);
        if (value.abs().compareTo(KIBI) < 0 || nano.stripTrailingZeros().scale() > 0) {
            return decimal(value, false);
        }
        BigInteger whole = nano.toBigIntegerExact();
        int unit = 0;
        BigInteger kibi = BigInteger.valueOf(1024);
        while (unit < BINARY.size() - 1
                && whole.signum() != 0
                && whole.mod(kibi).signum() == 0) {
            whole = whole.divide(kibi);
            unit++;
        }
        return whole + BINARY.get(unit);
    }

    /** The largest unit that leaves no fraction; fractions of a nano are rounded up. */
    private static String decimal(BigDecimal value, boolean exponent) {
        BigDecimal nano = value.setScale(NANO, RoundingMode.UP);
        if (nano.signum() == 0) {
            return "0";
        }
        BigInteger whole = nano.unscaledValue();
        BigInteger thousand = BigInteger.valueOf(1000);
        int power = -NANO;
        while (power < 18 && whole.mod(thousand).signum() == 0) {
            whole = whole.divide(thousand);
            power += 3;
        }
        if (exponent) {
            return power == 0 ? whole.toString() : whole + "e" + power;
        }
        return whole + DECIMAL.get(power / 3 + 3);
    }
}
