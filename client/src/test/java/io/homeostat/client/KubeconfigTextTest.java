package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Config;
import io.fabric8.kubernetes.client.internal.KubeConfigUtils;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class KubeconfigTextTest {
    private static final String ORDINARY =
            """
            apiVersion: v1
            kind: Config
            preferences: {}
            current-context: here
            contexts:
            - name: here
              context: {cluster: one, user: me, namespace: mine}
            clusters:
            - name: one
              cluster:
                server: https://127.0.0.1:6443
                certificate-authority-data: QUJD
                insecure-skip-tls-verify: false
            users:
            - name: me
              user:
                client-certificate-data: QUJD
                client-key-data: |
                  QUJD
            """;

    private static final String WITH_A_PLUGIN =
            """
            contexts: [{name: eks, context: {cluster: eks, user: aws}}]
            clusters: [{name: eks, cluster: {server: "https://eks.example.com", tls-server-name: eks, proxy-url: ""}}]
            users:
            - name: aws
              user:
                as: someone
                as-groups: [one, null]
                as-user-extra: {scopes: [view]}
                exec:
                  apiVersion: client.authentication.k8s.io/v1beta1
                  command: aws
                  args: [eks, get-token]
                  env: [{name: AWS_PROFILE, value: me}, {name: EMPTY, value: null}]
                  interactiveMode: IfAvailable
                  provideClusterInfo: true
                  installHint: "get it"
            - name: old
              user: {auth-provider: {name: gcp, config: {access-token: t}}}
            """;

    @ParameterizedTest
    @MethodSource("ordinary")
    void ordinaryFileIsReadWithoutFabric8AndAsFabric8ReadsIt(String text) {
        Config plain = KubeconfigText.plain(text);

        assertThat(plain).isNotNull();
        assertThat(seen(plain)).isEqualTo(seen(KubeConfigUtils.parseConfigFromString(text)));
    }

    static Stream<String> ordinary() {
        return Stream.of(
                ORDINARY,
                WITH_A_PLUGIN,
                "contexts:\nclusters: []\nusers: null\n",
                "users: [{name: me, user: null}, null, {}]\ncontexts: [{name: a, context: {}}, null]\n",
                "users: [{name: me, user: {token: &t \"0123\", password: *t, exec: null}}]\n");
    }

    @ParameterizedTest
    @MethodSource("odd")
    void oddFileIsLeftToFabric8(String text) {
        assertThat(KubeconfigText.plain(text)).isNull();
    }

    static Stream<String> odd() {
        return Stream.of(
                "{\"contexts\": []}",
                "users: [{name: me, user: {password: 123}}]\n",
                "clusters: [{name: a, cluster: {insecure-skip-tls-verify: \"true\"}}]\n",
                "clusters: [{name: a, cluster: {extensions: [{name: x, extension: {a: 1}}]}}]\n",
                "colour: blue\n",
                "contexts: {a: b}\n",
                "contexts: [a]\n",
                "contexts: []\n---\ncontexts: []\n",
                "contexts: [\n",
                "1: 2\n",
                "just words\n",
                "- a\n",
                "");
    }

    @Test
    void whateverAFileHoldsIsReadAsFabric8ReadsIt() {
        for (int seed = 0; seed < 1_000; seed++) {
            String text = new Drawn(new Random(seed)).kubeconfig();

            assertThat(outcome(text, KubeconfigText::read))
                    .as("seed %d: %s", seed, text)
                    .isEqualTo(outcome(text, KubeConfigUtils::parseConfigFromString));
        }
    }

    /** What a reader makes of it, or that it throws. */
    private static Object outcome(String text, Function<String, @Nullable Config> reader) {
        try {
            Config read = reader.apply(text);
            return read == null ? "nothing" : seen(read);
        } catch (RuntimeException e) {
            return "refused";
        }
    }

    /** All that a connection reads from it. */
    private static List<@Nullable Object> seen(Config config) {
        List<@Nullable Object> seen = new ArrayList<>();
        seen.add(config.getCurrentContext());
        seen.add(config.getContexts());
        seen.add(config.getClusters());
        if (config.getUsers() == null) {
            seen.add(null);
            return seen;
        }
        config.getUsers().forEach(named -> {
            if (named != null && named.getUser() != null && named.getUser().getAuthProvider() != null) {
                named.getUser().getAuthProvider().setConfig(null); // it is refused for its name
            }
        });
        seen.add(config.getUsers());
        return seen;
    }

    /** Kubeconfigs with fields, types and forms as chance has them; mostly those that are right. */
    private record Drawn(Random random) {
        private static final List<String> VALUES = List.of(
                "text",
                "\"\"",
                "null",
                "~",
                "true",
                "\"true\"",
                "12",
                "1.5",
                "0x1f",
                "'12'",
                "{}",
                "[]",
                "[a]",
                "{a: b}",
                "2001-01-01",
                "!!binary QUJD",
                "|\n          two\n          lines\n");

        String kubeconfig() {
            StringBuilder text = new StringBuilder();
            field(text, 0, "current-context");
            field(text, 0, "apiVersion");
            named(text, "contexts", "context", List.of("cluster", "user", "namespace", "extensions"));
            named(
                    text,
                    "clusters",
                    "cluster",
                    List.of(
                            "server",
                            "tls-server-name",
                            "insecure-skip-tls-verify",
                            "certificate-authority",
                            "certificate-authority-data",
                            "proxy-url",
                            "disable-compression",
                            "unknown"));
            named(
                    text,
                    "users",
                    "user",
                    List.of(
                            "client-certificate",
                            "client-certificate-data",
                            "client-key",
                            "client-key-data",
                            "token",
                            "tokenFile",
                            "username",
                            "password",
                            "as",
                            "as-uid",
                            "as-groups",
                            "as-user-extra",
                            "exec"));
            return text.toString();
        }

        private void named(StringBuilder text, String list, String body, List<String> fields) {
            text.append(list).append(":\n");
            for (int i = random.nextInt(3); i > 0; i--) {
                text.append("- name: ")
                        .append(random.nextInt(10) == 0 ? "12" : "n" + i)
                        .append('\n');
                text.append("  ").append(body).append(":\n");
                fields.forEach(each -> field(text, 4, each));
            }
        }

        private void field(StringBuilder text, int indent, String name) {
            if (random.nextInt(3) == 0) {
                boolean truth = name.equals("insecure-skip-tls-verify") || name.equals("disable-compression");
                String value = random.nextInt(6) == 0
                        ? VALUES.get(random.nextInt(VALUES.size()))
                        : truth ? "true" : name.equals("as-groups") ? "[a, b]" : "\"v\"";
                text.append(" ".repeat(indent))
                        .append(name)
                        .append(": ")
                        .append(value)
                        .append('\n');
            }
        }
    }
}
