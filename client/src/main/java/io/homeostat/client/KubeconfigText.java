package io.homeostat.client;

import io.fabric8.kubernetes.api.model.AuthInfo;
import io.fabric8.kubernetes.api.model.AuthProviderConfig;
import io.fabric8.kubernetes.api.model.Cluster;
import io.fabric8.kubernetes.api.model.Config;
import io.fabric8.kubernetes.api.model.Context;
import io.fabric8.kubernetes.api.model.ExecConfig;
import io.fabric8.kubernetes.api.model.ExecEnvVar;
import io.fabric8.kubernetes.api.model.NamedAuthInfo;
import io.fabric8.kubernetes.api.model.NamedCluster;
import io.fabric8.kubernetes.api.model.NamedContext;
import io.fabric8.kubernetes.client.internal.KubeConfigUtils;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/**
 * A kubeconfig from its text, as fabric8 reads it, without what that costs at a start: fabric8 parses the YAML and then has Jackson learn
 * some thirty classes by reflection to fill a dozen of them once, which is a third of a second of CPU in a new JVM.
 *
 * <p>The YAML parser is the same, with the same settings. Where each value is of the very type its field has, and each key is known, the
 * fields are set here; anything else, such as a number for a password, a second document or JSON, is left to fabric8 as a whole, so that
 * what is accepted, and as what, is its decision.
 *
 * <p><b>Threads.</b> Any. <b>Failure.</b> What fabric8 throws for it, whose text may quote the file.
 */
final class KubeconfigText {
    private KubeconfigText() {}

    /** Says that it is not plain; never leaves this class. */
    private static final class NotPlain extends Exception {
        private static final long serialVersionUID = 1;

        NotPlain(String what) {
            super(what, null, false, false);
        }
    }

    /** Of YAML or JSON; null when the text holds nothing. */
    static @Nullable Config read(String text) {
        Config plain = plain(text);
        return plain != null ? plain : KubeConfigUtils.parseConfigFromString(text);
    }

    /** Null when it has to be left to fabric8. The extensions of a cluster, which only some exec plugins are told, are not plain. */
    static @Nullable Config plain(String text) {
        if (text.stripLeading().startsWith("{")) {
            return null;
        }
        try {
            Iterator<Object> documents = new Load(LoadSettings.builder().build())
                    .loadAllFromInputStream(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)))
                    .iterator();
            Object first = documents.hasNext() ? documents.next() : null;
            return first instanceof Map && !documents.hasNext() ? config(fields(first)) : null;
        } catch (NotPlain | YamlEngineException e) {
            return null; // fabric8 says what is wrong with it, if anything is
        }
    }

    private static Config config(Map<String, @Nullable Object> fields) throws NotPlain {
        Config config = new Config();
        for (Map.Entry<String, @Nullable Object> field : fields.entrySet()) {
            Object value = field.getValue();
            switch (field.getKey()) {
                case "apiVersion" -> config.setApiVersion(text(value));
                case "kind" -> config.setKind(text(value));
                case "current-context" -> config.setCurrentContext(text(value));
                case "preferences" -> empty(value);
                case "contexts" -> config.setContexts(all(value, each -> context(each)));
                case "clusters" -> config.setClusters(all(value, each -> cluster(each)));
                case "users" -> config.setUsers(all(value, each -> user(each)));
                default -> throw new NotPlain(field.getKey());
            }
        }
        return config;
    }

    private static NamedContext context(Map<String, @Nullable Object> named) throws NotPlain {
        NamedContext context = new NamedContext();
        context.setName(nameOf(named, "context"));
        Map<String, @Nullable Object> fields = body(named, "context");
        if (fields == null) {
            return context;
        }
        Context value = new Context();
        for (Map.Entry<String, @Nullable Object> field : fields.entrySet()) {
            switch (field.getKey()) {
                case "cluster" -> value.setCluster(text(field.getValue()));
                case "user" -> value.setUser(text(field.getValue()));
                case "namespace" -> value.setNamespace(text(field.getValue()));
                default -> throw new NotPlain(field.getKey());
            }
        }
        context.setContext(value);
        return context;
    }

    private static NamedCluster cluster(Map<String, @Nullable Object> named) throws NotPlain {
        NamedCluster cluster = new NamedCluster();
        cluster.setName(nameOf(named, "cluster"));
        Map<String, @Nullable Object> fields = body(named, "cluster");
        if (fields == null) {
            return cluster;
        }
        Cluster value = new Cluster();
        for (Map.Entry<String, @Nullable Object> field : fields.entrySet()) {
            Object found = field.getValue();
            switch (field.getKey()) {
                case "server" -> value.setServer(text(found));
                case "tls-server-name" -> value.setTlsServerName(text(found));
                case "insecure-skip-tls-verify" -> value.setInsecureSkipTlsVerify(truth(found));
                case "certificate-authority" -> value.setCertificateAuthority(text(found));
                case "certificate-authority-data" -> value.setCertificateAuthorityData(text(found));
                case "proxy-url" -> value.setProxyUrl(text(found));
                case "disable-compression" -> value.setDisableCompression(truth(found));
                default -> throw new NotPlain(field.getKey());
            }
        }
        cluster.setCluster(value);
        return cluster;
    }

    private static NamedAuthInfo user(Map<String, @Nullable Object> named) throws NotPlain {
        NamedAuthInfo user = new NamedAuthInfo();
        user.setName(nameOf(named, "user"));
        Map<String, @Nullable Object> fields = body(named, "user");
        if (fields == null) {
            return user;
        }
        AuthInfo value = new AuthInfo();
        for (Map.Entry<String, @Nullable Object> field : fields.entrySet()) {
            Object found = field.getValue();
            switch (field.getKey()) {
                case "client-certificate" -> value.setClientCertificate(text(found));
                case "client-certificate-data" -> value.setClientCertificateData(text(found));
                case "client-key" -> value.setClientKey(text(found));
                case "client-key-data" -> value.setClientKeyData(text(found));
                case "token" -> value.setToken(text(found));
                case "tokenFile" -> value.setTokenFile(text(found));
                case "username" -> value.setUsername(text(found));
                case "password" -> value.setPassword(text(found));
                case "as" -> value.setAs(text(found));
                case "as-uid" -> value.setAsUid(text(found));
                case "as-groups" -> value.setAsGroups(texts(found));
                case "as-user-extra" -> value.setAsUserExtra(textsByName(found));
                case "auth-provider" -> value.setAuthProvider(found == null ? null : provider(fields(found)));
                case "exec" -> value.setExec(found == null ? null : exec(fields(found)));
                default -> throw new NotPlain(field.getKey());
            }
        }
        user.setUser(value);
        return user;
    }

    private static AuthProviderConfig provider(Map<String, @Nullable Object> fields) throws NotPlain {
        AuthProviderConfig provider = new AuthProviderConfig();
        provider.setName(nameOf(fields, "config")); // its config is not read: it is refused by its name
        return provider;
    }

    private static ExecConfig exec(Map<String, @Nullable Object> fields) throws NotPlain {
        ExecConfig exec = new ExecConfig();
        for (Map.Entry<String, @Nullable Object> field : fields.entrySet()) {
            Object found = field.getValue();
            switch (field.getKey()) {
                case "apiVersion" -> exec.setApiVersion(text(found));
                case "command" -> exec.setCommand(text(found));
                case "args" -> exec.setArgs(texts(found));
                case "env" -> exec.setEnv(all(found, each -> variable(each)));
                case "installHint" -> exec.setInstallHint(text(found));
                case "interactiveMode" -> exec.setInteractiveMode(text(found));
                case "provideClusterInfo" -> exec.setProvideClusterInfo(truth(found));
                default -> throw new NotPlain(field.getKey());
            }
        }
        return exec;
    }

    private static ExecEnvVar variable(Map<String, @Nullable Object> fields) throws NotPlain {
        ExecEnvVar variable = new ExecEnvVar();
        variable.setName(nameOf(fields, "value"));
        variable.setValue(text(fields.get("value")));
        return variable;
    }

    /** The field {@code name} of a map that may have {@code other} beside it, and nothing else. */
    private static @Nullable String nameOf(Map<String, @Nullable Object> fields, String other) throws NotPlain {
        for (String field : fields.keySet()) {
            if (!field.equals("name") && !field.equals(other)) {
                throw new NotPlain(field);
            }
        }
        return text(fields.get("name"));
    }

    private static @Nullable Map<String, @Nullable Object> body(Map<String, @Nullable Object> named, String field)
            throws NotPlain {
        Object found = named.get(field);
        return found == null ? null : fields(found);
    }

    private static Map<String, @Nullable Object> fields(Object found) throws NotPlain {
        if (!(found instanceof Map<?, ?> map)) {
            throw new NotPlain("no map");
        }
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        for (Map.Entry<?, ?> each : map.entrySet()) {
            if (!(each.getKey() instanceof String name)) {
                throw new NotPlain("a key that is no text");
            }
            fields.put(name, each.getValue());
        }
        return fields;
    }

    @FunctionalInterface
    private interface Reader<T> {
        T read(Map<String, @Nullable Object> fields) throws NotPlain;
    }

    private static <T> @Nullable List<@Nullable T> all(@Nullable Object found, Reader<T> reader) throws NotPlain {
        if (found == null) {
            return null;
        }
        List<@Nullable T> all = new ArrayList<>();
        for (Object each : list(found)) {
            all.add(each == null ? null : reader.read(fields(each)));
        }
        return all;
    }

    private static @Nullable List<@Nullable String> texts(@Nullable Object found) throws NotPlain {
        if (found == null) {
            return null;
        }
        List<@Nullable String> all = new ArrayList<>();
        for (Object each : list(found)) {
            all.add(text(each));
        }
        return all;
    }

    private static @Nullable Map<String, @Nullable List<@Nullable String>> textsByName(@Nullable Object found)
            throws NotPlain {
        if (found == null) {
            return null;
        }
        Map<String, @Nullable List<@Nullable String>> all = new LinkedHashMap<>();
        for (Map.Entry<String, @Nullable Object> each : fields(found).entrySet()) {
            all.put(each.getKey(), texts(each.getValue()));
        }
        return all;
    }

    private static List<?> list(Object found) throws NotPlain {
        if (found instanceof List<?> list) {
            return list;
        }
        throw new NotPlain("no list");
    }

    private static void empty(@Nullable Object found) throws NotPlain {
        if (found != null && !fields(found).isEmpty()) {
            throw new NotPlain("preferences");
        }
    }

    private static @Nullable String text(@Nullable Object found) throws NotPlain {
        if (found == null || found instanceof String) {
            return (String) found;
        }
        throw new NotPlain("no text");
    }

    private static @Nullable Boolean truth(@Nullable Object found) throws NotPlain {
        if (found == null || found instanceof Boolean) {
            return (Boolean) found;
        }
        throw new NotPlain("neither true nor false");
    }
}
