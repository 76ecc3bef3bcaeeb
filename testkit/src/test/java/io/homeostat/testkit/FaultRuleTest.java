package io.homeostat.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class FaultRuleTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "watch configmaps #2 frame 3: drop",
                "list * ?continue= byte 0-5000: reset",
                "list * ?!limit= #1-3 %12.5 request: status 429 retry-after 1s",
                "create * %20 answer: reset",
                "connect #2-: silence",
                "get /livez request: delay 250ms",
                "watch * frame 2-: rewrite \"a\\\\.\\\"b; c\" to \"x: $1\"",
                "watch * frame 2 byte 17: truncate",
                "update deployments/status answer: reply kind",
                "* * answer: slow 1024",
                "* * answer: split 1",
                "watch * ?\"a b\" frame 1: swap",
                "watch * %50 frame 2-: stale"
            })
    void textOfARuleReadsBack(String text) {
        assertThat(FaultRule.parse(text)).hasToString(text);
        assertThat(FaultPlan.parse("seed=-5 gzip; " + text + "; " + text))
                .hasToString("seed=-5 gzip; " + text + "; " + text);
    }

    @Test
    void whatIsBuiltIsWhatIsRead() {
        assertThat(FaultRule.on("watch", "pods")
                        .withoutQuery("sendInitialEvents")
                        .nth(2)
                        .rate(0.07)
                        .atFrames(3, 4)
                        .drop())
                .isEqualTo(FaultRule.parse("watch pods ?!sendInitialEvents #2 %7 frame 3-4: drop"));
        assertThat(FaultRule.onConnect().turns(1, 2).delay(Duration.ofSeconds(2)))
                .isEqualTo(FaultRule.parse("connect #1-2: delay 2s"));
        assertThat(FaultPlan.parse("seed=3")).isEqualTo(FaultPlan.seed(3));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "watch pods frame 1: explode | expected an action, found \"explode\"",
                "watch pods frame one: drop | expected K or K-K, found \"one\"",
                "watch pods frame 1 drop | expected :, found \"drop\"",
                "list pods byte 5: drop | cannot do \"drop\" at the point \"byte 5\"",
                "list pods: reply html | cannot do \"reply html\" at the point \"request\"",
                "list pods frame 0: drop | no range",
                "list pods #0 request: reset | no turn",
                "list pods: delay soon | expected a time such as 250ms or 2s, found \"soon\"",
                "list | expected a resource, found the end"
            })
    void whatIsNoRuleSaysWhereAndWhatIsExpected(String text, String message) {
        assertThatThrownBy(() -> FaultRule.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @CsvSource({
        "GET, /api/v1/pods, list, pods",
        "GET, /api/v1/namespaces, list, namespaces",
        "GET, /api/v1/namespaces/n, get, namespaces",
        "GET, /api/v1/namespaces/n/pods?watch=true, watch, pods",
        "GET, /apis/apps/v1/namespaces/n/deployments/d/status, get, deployments/status",
        "PATCH, /apis/apps/v1/namespaces/n/deployments/d, patch, deployments",
        "DELETE, /api/v1/namespaces/n/pods, deletecollection, pods",
        "DELETE, /api/v1/namespaces/n/pods/p, delete, pods",
        "POST, /api/v1/namespaces/n/pods, create, pods",
        "GET, /livez, get, /livez",
        "GET, /apis/apps/v1, get, /apis/apps/v1"
    })
    void requestsAreNamedAsInRbac(String method, String target, String verb, String resource) {
        FaultedRequest request = FaultedRequest.of(method, target);

        assertThat(request.verb()).isEqualTo(verb);
        assertThat(request.resource()).isEqualTo(resource);
    }
}
