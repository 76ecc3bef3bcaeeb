package io.homeostat.client;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A real etcd and kube-apiserver of the folder control-plane, for this module's own tests; testkit has the one for users. */
final class RealServer implements AutoCloseable {
    private final Path scripts;
    private final Path folder;
    private final Path kubeconfig;

    private RealServer(Path scripts, Path folder, Path kubeconfig) {
        this.scripts = scripts;
        this.folder = folder;
        this.kubeconfig = kubeconfig;
    }

    static RealServer start(String flags) throws Exception {
        Path scripts = scripts();
        Path folder = Files.createTempDirectory(Files.createDirectories(Path.of("target")), "real-server-")
                .toAbsolutePath();
        List<String> command = new ArrayList<>(List.of(scripts.resolve("up").toString(), "--dir", folder.toString()));
        if (!flags.isEmpty()) {
            command.addAll(List.of("--flags", flags));
        }
        String kubeconfig = run(command, folder);
        RealServer server = new RealServer(scripts, folder, Path.of(kubeconfig));
        Runtime.getRuntime().addShutdownHook(new Thread(server::close));
        return server;
    }

    private static Path scripts() {
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.isExecutable(at.resolve("control-plane").resolve("up"))) {
                return at.resolve("control-plane");
            }
        }
        throw new IllegalStateException(
                "no control-plane/up above " + Path.of("").toAbsolutePath());
    }

    Path kubeconfig() {
        return kubeconfig;
    }

    Path folder() {
        return folder;
    }

    /** Compacts etcd, so that versions before this one are gone. */
    void compact(String revision) throws Exception {
        String etcd = Files.readString(folder.resolve("run").resolve("etcd"));
        java.util.regex.Matcher url = java.util.regex.Pattern.compile("--advertise-client-urls[= ]'?(http://[0-9.:]+)")
                .matcher(etcd);
        if (!url.find()) {
            throw new IllegalStateException("no --advertise-client-urls in run/etcd");
        }
        java.net.http.HttpResponse<String> answer = java.net.http.HttpClient.newHttpClient()
                .send(
                        java.net.http.HttpRequest.newBuilder(java.net.URI.create(url.group(1) + "/v3/kv/compaction"))
                                .POST(java.net.http.HttpRequest.BodyPublishers.ofString(
                                        "{\"revision\":\"" + revision + "\",\"physical\":true}"))
                                .build(),
                        java.net.http.HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IllegalStateException("compaction was answered " + answer.statusCode() + ": " + answer.body());
        }
    }

    /** Runs a program in the server's folder; its standard output, trimmed. */
    String run(String... command) throws Exception {
        return run(List.of(command), folder);
    }

    private static String run(List<String> command, Path folder) throws Exception {
        Path errors = folder.resolve("command.log");
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectError(ProcessBuilder.Redirect.appendTo(errors.toFile()))
                .start();
        process.getOutputStream().close();
        StringBuilder out = new StringBuilder();
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                out.append(line).append('\n');
            }
        }
        if (!process.waitFor(120, TimeUnit.SECONDS) || process.exitValue() != 0) {
            process.destroyForcibly();
            throw new IOException(command + " failed:\n" + Files.readString(errors));
        }
        return out.toString().trim();
    }

    @Override
    public void close() {
        if (Files.isDirectory(folder.resolve("pids"))) {
            try {
                new ProcessBuilder(scripts.resolve("down").toString(), "--dir", folder.toString())
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor(30, TimeUnit.SECONDS);
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
