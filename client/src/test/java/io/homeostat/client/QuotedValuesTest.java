package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class QuotedValuesTest {
    @Test
    void aValueOfAMegabyteIsTakenOutAsAnyOther() {
        String value = "\\\"x".repeat(500_000);
        assertThat(QuotedValues.hidden("spec.key: Invalid value: \"" + value + "\": must be short"))
                .isEqualTo("spec.key: Invalid value: (not shown): must be short");
        assertThat(QuotedValues.hidden("spec.key: Invalid value: \"" + value))
                .isEqualTo("spec.key: Invalid value: (not shown)");
    }
}
