package io.homeostat.client;

import io.fabric8.kubernetes.api.model.AuthInfo;
import io.fabric8.kubernetes.api.model.Cluster;
import io.fabric8.kubernetes.api.model.ExecConfig;
import io.fabric8.kubernetes.api.model.NamedAuthInfo;
import io.fabric8.kubernetes.api.model.NamedCluster;
import io.fabric8.kubernetes.api.model.NamedContext;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.utils.HttpClientUtils;
import io.homeostat.core.Coded;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Headers;
import io.homeostat.core.Stable;
import io.homeostat.core.Transport;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * How to reach one cluster: from a kubeconfig, from inside a pod, or whichever of them is there. Immutable; connects to nothing
 * until {@link #open}.
 *
 * <p>A configuration made of a server, certificates (RSA, EC and Ed25519 keys; files or inline data), tokens (inline, or a file),
 * exec plugins, user and password or impersonation goes over sockets of our own (D26). Proxies, of the kubeconfig ({@code proxy-url}) or
 * of the environment ({@code HTTPS_PROXY}, {@code HTTP_PROXY} and {@code NO_PROXY}, read as kubectl reads them), are left to fabric8's HTTP client, which must then be on the class path with a backend ({@code
 * kubernetes-httpclient-jdk}). Auth providers, which Kubernetes dropped in 1.26, are refused.
 *
 * <p>What the configuration says is read once; the files it names are read again: tokens, client certificates with their
 * keys and certificate authorities may be replaced under a running process, and exec plugins are run again, without a restart and
 * without a lost event (docs/credentials.md).
 *
 * <p><b>Failure.</b> A configuration that cannot be used throws {@link Unusable}, whose text names the file, what was found in it, and
 * what to do.
 */
@Stable
public final class ClusterConnection {
    private static final List<String> EXEC_VERSIONS =
            List.of("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1");
    private static final String EXEC_EXTENSION = "client.authentication.k8s.io/exec";
    private static final Duration PLUGIN_LIMIT = Duration.ofMinutes(1);
    private static final Path SERVICE_ACCOUNT = Path.of("/var/run/secrets/kubernetes.io/serviceaccount");

    /** A port may be empty (RFC 3986 §3.2.3); a zone of an IPv6 address follows an escaped percent sign (RFC 6874). */
    private static final Pattern HOST_AND_PORT =
            Pattern.compile("([A-Za-z0-9._~-]+|\\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?])(?::([0-9]{0,5}))?");

    private final String source;
    private final String server;
    private final String namespace;
    private final Opener opener;
    private final SocketEndpoint endpoint;

    @FunctionalInterface
    private interface Opener {
        Transport open(EngineRuntime runtime);
    }

    /** A configuration that cannot be used; the text says which, what was found, and what to do. */
    @Stable
    public static final class Unusable extends RuntimeException implements Coded {
        private static final String CODE = "HS-101";

        Unusable(String message, @Nullable Throwable cause) {
            super(Coded.message(message, CODE), cause);
        }

        @Override
        public String code() {
            return CODE;
        }
    }

    private ClusterConnection(
            String source,
            String server,
            String namespace,
            SocketEndpoint endpoint,
            @Nullable Opener otherThanSockets) {
        this.source = source;
        this.server = server;
        this.namespace = namespace;
        this.endpoint = endpoint;
        this.opener = otherThanSockets == null ? runtime -> new SocketTransport(runtime, endpoint) : otherThanSockets;
    }

    /**
     * The current context of a kubeconfig file.
     *
     * @throws Unusable when the file is not there or no kubeconfig, or its current context is incomplete
     */
    public static ClusterConnection fromKubeconfig(Path file) {
        return kubeconfig(List.of(file), "", System.getenv());
    }

    /**
     * A context of a kubeconfig file.
     *
     * @param context its name
     * @throws Unusable when the file is not there or no kubeconfig, or has no such complete context
     */
    public static ClusterConnection fromKubeconfig(Path file, String context) {
        return kubeconfig(List.of(file), context, System.getenv());
    }

    /**
     * The service account of the pod this process runs in: {@code KUBERNETES_SERVICE_HOST} and the files under {@code
     * /var/run/secrets/kubernetes.io/serviceaccount}.
     *
     * @throws Unusable when this process does not run in a pod, or its service account is not mounted
     */
    public static ClusterConnection inCluster() {
        return inCluster(System.getenv(), SERVICE_ACCOUNT);
    }

    /**
     * The files {@code KUBECONFIG} names, else {@code ~/.kube/config}, else the pod's service account: the first that is there.
     *
     * @throws Unusable when none is there, or the first is not usable
     */
    public static ClusterConnection auto() {
        return auto(System.getenv(), Path.of(System.getProperty("user.home", "")), SERVICE_ACCOUNT);
    }

    /** The server's URL, without a slash at the end; for messages. */
    public String serverUrl() {
        return server;
    }

    /** The namespace of the context or of the pod; {@code "default"} when neither names one. */
    public String namespace() {
        return namespace;
    }

    /** Where the configuration came from; for messages. */
    public String source() {
        return source;
    }

    /**
     * What it presents and trusts, and what is wrong with what is there now: tokens, certificates and plugins that may change. Any
     * thread, at any time; reads nothing. Of one without files and plugins only what is inline, or nothing.
     */
    public List<CredentialState> credentials() {
        List<CredentialState> states = new ArrayList<>(endpoint.credentials().states());
        TlsMaterial tls = endpoint.tls();
        if (tls != null) {
            states.addAll(tls.states());
        }
        return List.copyOf(states);
    }

    /**
     * Opens a transport; the caller closes it. Nothing is connected before the first request.
     *
     * @throws Unusable when it needs fabric8's HTTP client, and that finds no backend or refuses the configuration
     */
    public Transport open(EngineRuntime runtime) {
        return opener.open(runtime);
    }

    /** Where it connects to: for tests. */
    SocketEndpoint asked() {
        return endpoint;
    }

    /** {@link #open} as it is for a proxied cluster: for tests. */
    Transport openOverFabric8(EngineRuntime runtime) {
        return overFabric8(runtime, source, endpoint, "");
    }

    /** Server and source. */
    @Override
    public String toString() {
        return server + " (" + source + ")";
    }

    static ClusterConnection auto(Map<String, String> environment, Path home, Path serviceAccount) {
        String named = environment.getOrDefault("KUBECONFIG", "");
        if (!named.isBlank()) {
            List<Path> files = new ArrayList<>();
            for (String file : named.split(File.pathSeparator, -1)) {
                if (!file.isBlank() && Files.exists(Path.of(file.trim()))) {
                    files.add(Path.of(file.trim()));
                }
            }
            if (files.isEmpty()) {
                throw new Unusable(
                        "KUBECONFIG names " + named
                                + ", and no such file is there: correct it, or unset it to use ~/.kube/config",
                        null);
            }
            return kubeconfig(files, "", environment);
        }
        Path usual = home.resolve(".kube").resolve("config");
        if (Files.exists(usual)) {
            return kubeconfig(List.of(usual), "", environment);
        }
        if (environment.containsKey("KUBERNETES_SERVICE_HOST")) {
            return inCluster(environment, serviceAccount);
        }
        throw new Unusable(
                "No cluster is configured: KUBECONFIG is not set, " + usual
                        + " is not there, and this process does not run in a pod (KUBERNETES_SERVICE_HOST is not set)."
                        + " Name a kubeconfig file",
                null);
    }

    static ClusterConnection inCluster(Map<String, String> environment, Path serviceAccount) {
        String host = environment.getOrDefault("KUBERNETES_SERVICE_HOST", "");
        String port = environment.getOrDefault("KUBERNETES_SERVICE_PORT", "443");
        Path token = serviceAccount.resolve("token");
        Path authority = serviceAccount.resolve("ca.crt");
        if (host.isEmpty()) {
            throw new Unusable(
                    "This process does not run in a pod: KUBERNETES_SERVICE_HOST is not set. Name a kubeconfig file",
                    null);
        }
        if (!port.matches("[0-9]{1,5}")) {
            throw new Unusable("KUBERNETES_SERVICE_PORT is \"" + port + "\", which is no port", null);
        }
        if (!Files.isReadable(token)) {
            throw new Unusable(
                    "The pod's service account token " + token
                            + " cannot be read: is automountServiceAccountToken false?",
                    null);
        }
        try {
            TlsMaterial tls = new TlsMaterial(
                    Files.exists(authority) ? new TlsMaterial.Pem(authority, null) : null,
                    null,
                    null,
                    TlsMaterial.Verification.FULL);
            SocketEndpoint endpoint =
                    new SocketEndpoint(host, Integer.parseInt(port), "", tls, "", new Credentials(List.of(), token));
            Path namespaceFile = serviceAccount.resolve("namespace");
            String namespace = Files.exists(namespaceFile)
                    ? Files.readString(namespaceFile).trim()
                    : "default";
            String source = "the pod's service account";
            String proxy = proxy(endpoint, environment);
            if (!proxy.isEmpty()) {
                requireKnownBehindAProxy(source, endpoint);
            }
            return new ClusterConnection(
                    source,
                    endpoint.name(),
                    namespace,
                    endpoint,
                    proxy.isEmpty() ? null : runtime -> overFabric8(runtime, source, endpoint, proxy));
        } catch (IOException | GeneralSecurityException e) {
            throw new Unusable(
                    "The pod's service account in " + serviceAccount + " is not usable: " + e.getMessage(), e);
        }
    }

    static ClusterConnection kubeconfig(List<Path> files, String wantedContext, Map<String, String> environment) {
        List<io.fabric8.kubernetes.api.model.Config> parsed = new ArrayList<>();
        for (Path file : files) {
            parsed.add(parse(file));
        }
        if (parsed.stream()
                .allMatch(each -> all(each.getContexts()).isEmpty()
                        && all(each.getClusters()).isEmpty()
                        && all(each.getUsers()).isEmpty())) {
            throw noKubeconfig(files);
        }
        String source = files.size() == 1
                ? "kubeconfig " + files.get(0)
                : "kubeconfig " + files.stream().map(Path::toString).toList();
        String current = wantedContext;
        for (io.fabric8.kubernetes.api.model.Config config : parsed) {
            if (current.isEmpty() && config.getCurrentContext() != null) {
                current = config.getCurrentContext();
            }
        }
        String contextName = current;
        List<String> contexts = new ArrayList<>();
        NamedContext context = null;
        for (io.fabric8.kubernetes.api.model.Config config : parsed) {
            for (NamedContext named : all(config.getContexts())) {
                contexts.add(named.getName());
                if (context == null && contextName.equals(named.getName())) {
                    context = named;
                }
            }
        }
        if (contextName.isEmpty()) {
            throw new Unusable(
                    source + " has no current-context; set one with kubectl config use-context, or name one of "
                            + contexts,
                    null);
        }
        if (context == null || context.getContext() == null) {
            throw new Unusable(
                    source + " has no context \"" + contextName + "\", found " + contexts + "; name one of them", null);
        }
        String clusterName = text(context.getContext().getCluster());
        String userName = text(context.getContext().getUser());
        Located<Cluster> cluster = null;
        Located<AuthInfo> user = null;
        for (int i = 0; i < parsed.size(); i++) {
            for (NamedCluster named : all(parsed.get(i).getClusters())) {
                if (cluster == null && clusterName.equals(named.getName()) && named.getCluster() != null) {
                    cluster = new Located<>(named.getCluster(), files.get(i));
                }
            }
            for (NamedAuthInfo named : all(parsed.get(i).getUsers())) {
                if (user == null && userName.equals(named.getName()) && named.getUser() != null) {
                    user = new Located<>(named.getUser(), files.get(i));
                }
            }
        }
        if (cluster == null) {
            throw new Unusable(
                    source + ": context \"" + contextName + "\" names cluster \"" + clusterName
                            + "\", which is not among its clusters; correct the context",
                    null);
        }
        if (user == null && !userName.isEmpty()) {
            throw new Unusable(
                    source + ": context \"" + contextName + "\" names user \"" + userName
                            + "\", which is not among its users; correct the context",
                    null);
        }
        Located<AuthInfo> who = user == null ? new Located<>(new AuthInfo(), files.get(0)) : user;
        String namespace = text(context.getContext().getNamespace());
        return connection(source, contextName, cluster, who, namespace.isEmpty() ? "default" : namespace, environment);
    }

    /** A part of a kubeconfig and the file it stands in: relative paths start there. */
    private record Located<T>(T value, Path file) {
        @Nullable
        String path(@Nullable String path) {
            if (path == null || path.isEmpty()) {
                return null;
            }
            Path parent = file.toAbsolutePath().getParent();
            return parent == null ? path : parent.resolve(path).toString();
        }
    }

    private static io.fabric8.kubernetes.api.model.Config parse(Path file) {
        if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
            throw new Unusable(
                    "The kubeconfig file " + file + (Files.exists(file) ? " cannot be read" : " is not there")
                            + "; name another, or correct its permissions",
                    null);
        }
        io.fabric8.kubernetes.api.model.Config config = null;
        try {
            String text = Files.readString(file);
            boolean empty = text.lines().allMatch(line -> line.isBlank() || line.startsWith("#") || line.equals("---"));
            // An empty file says nothing, which is not wrong beside others.
            config = empty ? new io.fabric8.kubernetes.api.model.Config() : KubeconfigText.read(text);
        } catch (IOException | RuntimeException e) {
            // The parser's words quote the file, which holds secrets: they are not passed on.
        }
        if (config == null) {
            throw noKubeconfig(List.of(file));
        }
        return config;
    }

    private static Unusable noKubeconfig(List<Path> files) {
        String names = String.join(", ", files.stream().map(Path::toString).toList());
        return new Unusable(
                (files.size() == 1 ? "The file " : "The files ") + names + (files.size() == 1 ? " is" : " are")
                        + " no kubeconfig: no clusters, contexts or users could be read from there as YAML."
                        + " Check with kubectl --kubeconfig " + files.get(0) + " config view",
                null);
    }

    /** The entries of a list, which is null where the file says {@code users: null} or nothing at all. */
    private static <T> List<T> all(@Nullable List<T> list) {
        return list == null
                ? List.of()
                : list.stream().filter(java.util.Objects::nonNull).toList();
    }

    private static ClusterConnection connection(
            String source,
            String context,
            Located<Cluster> cluster,
            Located<AuthInfo> user,
            String namespace,
            Map<String, String> environment) {
        String where = source + ", context \"" + context + "\"";
        URI url = url(where, text(cluster.value().getServer()));
        if (user.value().getAuthProvider() != null) {
            throw new Unusable(
                    where + " names the auth provider \""
                            + text(user.value().getAuthProvider().getName())
                            + "\", which Kubernetes 1.26 dropped: use the exec plugin that took its place"
                            + " (gke-gcloud-auth-plugin, kubelogin), or a token or certificate",
                    null);
        }
        SocketEndpoint endpoint;
        try {
            endpoint = endpoint(where, url, cluster, user);
        } catch (IOException | GeneralSecurityException e) {
            throw new Unusable(where + " is not usable: " + words(e), e);
        }
        String own = text(cluster.value().getProxyUrl());
        String proxy = own.isEmpty() ? proxy(endpoint, environment) : EnvironmentProxy.withPort(own);
        if (!proxy.isEmpty()) {
            requireKnownBehindAProxy(where, endpoint);
        }
        return new ClusterConnection(
                where,
                url.toString(),
                namespace,
                endpoint,
                proxy.isEmpty() ? null : runtime -> overFabric8(runtime, where, endpoint, proxy));
    }

    /** fabric8's client over a proxy can do less with names than our sockets, and says so, if at all, with each request. */
    private static void requireKnownBehindAProxy(String where, SocketEndpoint endpoint) {
        String trouble = null;
        if (!endpoint.serverName().isEmpty()) {
            trouble =
                    "a tls-server-name, and the HTTP client used there knows no other name than the URL's. Use a URL that the"
                            + " certificate is for";
        } else if (endpoint.host().contains("%")) {
            trouble = "an address with a zone, which means something on this machine only. Use another address";
        } else if (URI.create(endpoint.name()).getHost() == null) {
            trouble = "the server " + endpoint.name()
                    + ", whose name the HTTP client used there takes for none (an underscore in it, say). Use"
                    + " another name that the certificate is for";
        }
        if (trouble != null) {
            throw new Unusable(
                    where + " asks through a proxy (proxy-url, HTTPS_PROXY) and names " + trouble
                            + ", or except the server with NO_PROXY",
                    null);
        }
    }

    private static String words(Exception e) {
        if (e instanceof java.nio.file.NoSuchFileException missing) {
            return "the file " + missing.getFile() + " is not there";
        }
        return e instanceof GeneralSecurityException || e instanceof IOException
                ? String.valueOf(e.getMessage())
                : e.getClass().getSimpleName();
    }

    private static String proxy(SocketEndpoint endpoint, Map<String, String> environment) {
        return EnvironmentProxy.forServer(
                endpoint.tls() == null ? "http" : "https", endpoint.host(), endpoint.port(), environment);
    }

    private static URI url(String where, String server) {
        if (server.replaceFirst("^[A-Za-z]+://", "").split("[/?#]", 2)[0].contains("@")) { // not quoted: a password
            throw new Unusable(
                    where + ": the server's URL holds a user; write username and password, or a token, to the user"
                            + " of the context",
                    null);
        }
        String trimmed = server.endsWith("/") ? server.substring(0, server.length() - 1) : server;
        URI url;
        try {
            url = new URI(server.contains("://") ? trimmed : "https://" + trimmed);
        } catch (URISyntaxException e) {
            throw new Unusable(where + ": the server \"" + server + "\" is no URL; correct it", e);
        }
        String scheme = text(url.getScheme()).toLowerCase(Locale.ROOT);
        if (hostAndPort(url) == null || !(scheme.equals("http") || scheme.equals("https"))) {
            throw new Unusable(
                    where + ": the server \"" + server + "\" is no http or https URL with a host; correct it", null);
        }
        return url;
    }

    /** Group 1 is the host, 2 the port or null; {@link URI} itself gives no host for names with an underscore. */
    private static @Nullable Matcher hostAndPort(URI url) {
        Matcher parts = HOST_AND_PORT.matcher(text(url.getRawAuthority()));
        boolean usable =
                parts.matches() && (text(parts.group(2)).isEmpty() || Integer.parseInt(parts.group(2)) <= 0xffff);
        return usable ? parts : null;
    }

    private static SocketEndpoint endpoint(String where, URI url, Located<Cluster> cluster, Located<AuthInfo> user)
            throws IOException, GeneralSecurityException {
        boolean https = url.getScheme().equalsIgnoreCase("https");
        TlsMaterial tls = https
                ? new TlsMaterial(
                        pem(
                                "certificate authority",
                                cluster.path(cluster.value().getCertificateAuthority()),
                                cluster.value().getCertificateAuthorityData()),
                        pem(
                                "client certificate",
                                user.path(user.value().getClientCertificate()),
                                user.value().getClientCertificateData()),
                        pem(
                                "client key",
                                user.path(user.value().getClientKey()),
                                user.value().getClientKeyData()),
                        Boolean.TRUE.equals(cluster.value().getInsecureSkipTlsVerify())
                                ? TlsMaterial.Verification.NONE
                                : TlsMaterial.Verification.FULL)
                : null;
        Matcher parts = java.util.Objects.requireNonNull(hostAndPort(url), "url() looked at it");
        String host = parts.group(1);
        String port = text(parts.group(2));
        return new SocketEndpoint(
                host.startsWith("[") ? host.substring(1, host.length() - 1).replaceFirst("%25", "%") : host,
                !port.isEmpty() ? Integer.parseInt(port) : https ? 443 : 80,
                text(url.getRawPath()),
                tls,
                text(cluster.value().getTlsServerName()),
                credentials(where, cluster, user));
    }

    private static TlsMaterial.@Nullable Pem pem(String what, @Nullable String file, @Nullable String data)
            throws GeneralSecurityException {
        try {
            return TlsMaterial.Pem.of(file, data);
        } catch (GeneralSecurityException e) {
            throw new GeneralSecurityException(what + ": " + e.getMessage(), e);
        }
    }

    private static Credentials credentials(String where, Located<Cluster> cluster, Located<AuthInfo> user) {
        AuthInfo who = user.value();
        List<Headers.Header> headers = new ArrayList<>();
        String tokenFile = user.path(who.getTokenFile());
        if (!text(who.getUsername()).isEmpty() && !text(who.getPassword()).isEmpty()) {
            headers.add(new Headers.Header(
                    "Authorization", HttpClientUtils.basicCredentials(who.getUsername(), who.getPassword())));
            tokenFile = null;
        } else if (tokenFile == null && !text(who.getToken()).isEmpty()) {
            headers.add(new Headers.Header("Authorization", "Bearer " + who.getToken()));
        }
        headers.addAll(impersonation(where, who));
        return new Credentials(
                headers,
                tokenFile == null ? null : Path.of(tokenFile),
                text(who.getToken()).isEmpty() ? null : who.getToken(),
                who.getExec() == null ? null : plugin(where, cluster, user, who.getExec()));
    }

    /** {@code as}, {@code as-uid}, {@code as-groups} and {@code as-user-extra} of a kubeconfig user, as client-go sends them. */
    private static List<Headers.Header> impersonation(String where, AuthInfo who) {
        List<Headers.Header> headers = new ArrayList<>();
        if (!text(who.getAsUid()).isEmpty()) {
            headers.add(new Headers.Header("Impersonate-Uid", who.getAsUid()));
        }
        for (String group : all(who.getAsGroups())) {
            headers.add(new Headers.Header("Impersonate-Group", group));
        }
        Map<String, List<String>> extra = who.getAsUserExtra() == null ? Map.of() : who.getAsUserExtra();
        extra.forEach((name, values) -> all(values)
                .forEach(value -> headers.add(new Headers.Header("Impersonate-Extra-" + escaped(name), value))));
        if (!text(who.getAs()).isEmpty()) {
            headers.add(0, new Headers.Header("Impersonate-User", who.getAs()));
        } else if (!headers.isEmpty()) {
            throw new Unusable(
                    where + " impersonates groups, a UID or extra fields without a user; name one with \"as\", or leave"
                            + " them out: without one the server ignores them, and everything is done with the user's"
                            + " own rights",
                    null);
        }
        return headers;
    }

    /** A key as part of a header's name: what is no token character is percent-encoded ({@code headerKeyEscape} in client-go). */
    private static String escaped(String key) {
        StringBuilder out = new StringBuilder();
        for (byte each : key.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (each & 0xff);
            if (c != '%' && SocketEndpoint.isToken(String.valueOf(c))) {
                out.append(c);
            } else {
                out.append(String.format(Locale.ROOT, "%%%02X", (int) c));
            }
        }
        return out.toString();
    }

    private static ExecPlugin plugin(String where, Located<Cluster> cluster, Located<AuthInfo> user, ExecConfig exec) {
        String program = text(exec.getCommand());
        String apiVersion = text(exec.getApiVersion());
        if (program.isEmpty()) {
            throw new Unusable(where + " has an exec plugin without a command; name the program to run", null);
        }
        if (!EXEC_VERSIONS.contains(apiVersion)) {
            throw new Unusable(
                    where + ": the exec plugin \"" + program + "\" speaks "
                            + (apiVersion.isEmpty() ? "no apiVersion" : "\"" + apiVersion + "\"") + "; known are "
                            + EXEC_VERSIONS + ": bring the plugin and its entry up to date",
                    null);
        }
        if (text(exec.getInteractiveMode()).equals("Always")) {
            throw new Unusable(
                    where + ": the exec plugin \"" + program
                            + "\" has interactiveMode Always, and there is nobody to talk to; use a way to log in"
                            + " that needs nobody",
                    null);
        }
        Map<String, String> environment = new TreeMap<>();
        if (exec.getEnv() != null) {
            exec.getEnv().forEach(each -> environment.put(text(each.getName()), text(each.getValue())));
        }
        // As kubectl does: a path is relative to the file it stands in, a bare name is looked up on the PATH.
        boolean path = program.contains("/") || program.contains(File.separator);
        return new ExecPlugin(new ExecPlugin.Command(
                where,
                path ? java.util.Objects.requireNonNull(user.path(program)) : program,
                exec.getArgs() == null ? List.of() : List.copyOf(exec.getArgs()),
                environment,
                apiVersion,
                execInfo(apiVersion, Boolean.TRUE.equals(exec.getProvideClusterInfo()) ? cluster : null),
                text(exec.getInstallHint()),
                PLUGIN_LIMIT));
    }

    /** {@code KUBERNETES_EXEC_INFO}: an ExecCredential that says for what credentials are wanted. */
    private static String execInfo(String apiVersion, @Nullable Located<Cluster> cluster) {
        Map<String, Object> spec = new LinkedHashMap<>();
        spec.put("interactive", false);
        if (cluster != null) {
            Cluster value = cluster.value();
            Map<String, Object> told = new LinkedHashMap<>();
            told.put("server", text(value.getServer()));
            if (!text(value.getTlsServerName()).isEmpty()) {
                told.put("tls-server-name", value.getTlsServerName());
            }
            if (Boolean.TRUE.equals(value.getInsecureSkipTlsVerify())) {
                told.put("insecure-skip-tls-verify", true);
            }
            byte[] authority = authority(cluster);
            if (authority.length > 0) {
                told.put("certificate-authority-data", Base64.getEncoder().encodeToString(authority));
            }
            if (!text(value.getProxyUrl()).isEmpty()) {
                told.put("proxy-url", value.getProxyUrl());
            }
            if (value.getExtensions() != null) {
                value.getExtensions().stream()
                        .filter(each -> EXEC_EXTENSION.equals(each.getName()))
                        .forEach(each -> told.put("config", each.getExtension()));
            }
            spec.put("cluster", told);
        }
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("apiVersion", apiVersion);
        document.put("kind", "ExecCredential");
        document.put("spec", spec);
        return JsonMapper.shared().writeValueAsString(document);
    }

    private static byte[] authority(Located<Cluster> cluster) {
        try {
            TlsMaterial.Pem pem = TlsMaterial.Pem.of(
                    cluster.path(cluster.value().getCertificateAuthority()),
                    cluster.value().getCertificateAuthorityData());
            return pem == null ? new byte[0] : pem.read();
        } catch (IOException | GeneralSecurityException e) {
            return new byte[0]; // it was read before, for our own use, and is said there when it cannot be
        }
    }

    private static Transport overFabric8(EngineRuntime runtime, String where, SocketEndpoint endpoint, String proxy) {
        try {
            return new Fabric8Transport(runtime, fabric8Config(endpoint.nameWithoutDot(), proxy), endpoint);
        } catch (RuntimeException e) {
            throw new Unusable(
                    where + " cannot be opened with fabric8's HTTP client ("
                            + e.getClass().getSimpleName()
                            + "): check the proxy it names, and that kubernetes-httpclient-jdk is on the class path",
                    null); // the cause may quote the proxy with its password
        }
    }

    /** Where to, and over which proxy ({@code ""} for none); who asks and whom to trust are ours. */
    static Config fabric8Config(String server, String proxy) {
        Config config = new ConfigBuilder(Config.empty()).withMasterUrl(server).build();
        if (!proxy.isEmpty()) {
            config.setHttpProxy(proxy);
            config.setHttpsProxy(proxy);
        }
        return config;
    }

    private static String text(@Nullable String text) {
        return text == null ? "" : text;
    }
}
