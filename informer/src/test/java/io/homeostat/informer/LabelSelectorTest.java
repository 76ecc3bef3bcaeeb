package io.homeostat.informer;

import static io.homeostat.informer.LabelSelector.Answer.NO;
import static io.homeostat.informer.LabelSelector.Answer.UNKNOWN;
import static io.homeostat.informer.LabelSelector.Answer.YES;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class LabelSelectorTest {
    private static LabelSelector.Answer ask(String selector, String... labels) {
        Map<String, String> map = new java.util.TreeMap<>();
        for (int i = 0; i < labels.length; i += 2) {
            map.put(labels[i], labels[i + 1]);
        }
        return LabelSelector.of(selector).selects(map);
    }

    @Test
    void equalityIsRead() {
        assertThat(ask("app=web", "app", "web")).isEqualTo(YES);
        assertThat(ask("app==web", "app", "db")).isEqualTo(NO);
        assertThat(ask("app=web")).isEqualTo(NO);
        assertThat(ask("app = web", "app", "web")).isEqualTo(YES);
        assertThat(ask("app=", "app", "")).isEqualTo(YES);
        assertThat(ask("app.kubernetes.io/name=web,tier!=db", "app.kubernetes.io/name", "web"))
                .isEqualTo(YES);
        assertThat(ask("tier!=db", "tier", "db")).isEqualTo(NO);
    }

    @Test
    void setsAreRead() {
        assertThat(ask("env in (a, b)", "env", "b")).isEqualTo(YES);
        assertThat(ask("env in (a,b)", "env", "c")).isEqualTo(NO);
        assertThat(ask("env notin (a,b)")).isEqualTo(YES);
        assertThat(ask("env notin (a,b)", "env", "a")).isEqualTo(NO);
        assertThat(ask("x=1,env in (a,b),y", "x", "1", "env", "a", "y", "")).isEqualTo(YES);
    }

    @Test
    void existenceIsRead() {
        assertThat(ask("app", "app", "")).isEqualTo(YES);
        assertThat(ask("app")).isEqualTo(NO);
        assertThat(ask("!app")).isEqualTo(YES);
        assertThat(ask("!app", "app", "x")).isEqualTo(NO);
        assertThat(ask("")).isEqualTo(YES);
    }

    @Test
    void whatIsNotKnownIsSaidSo() {
        assertThat(ask("replicas>3", "replicas", "4")).isEqualTo(UNKNOWN);
        assertThat(ask("a=b=c", "a", "b")).isEqualTo(UNKNOWN);
    }
}
