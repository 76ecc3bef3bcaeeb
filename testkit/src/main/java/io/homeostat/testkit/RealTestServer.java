package io.homeostat.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The control plane that this JVM's tests share; requests are counted from its audit log. */
final class RealTestServer implements TestServer {
    private final RealControlPlane plane;

    RealTestServer(RealControlPlane plane) {
        this.plane = plane;
    }

    @Override
    public Backend backend() {
        return Backend.REAL;
    }

    @Override
    public ApiObserver observer() {
        return plane.observer();
    }

    @Override
    public String kubeconfig(String user, List<String> groups) {
        return plane.kubeconfigFor(user, groups.toArray(String[]::new));
    }

    RealControlPlane plane() {
        return plane;
    }

    /**
     * Reads the audit log. A watch is logged when its answer starts and again when it ends, every other request when it ends, just
     * after the answer was sent; the same audit id is the same request.
     */
    @Override
    public List<ServedRequest> requests(String user) {
        List<ServedRequest> requests = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        try {
            if (!Files.exists(plane.auditLog())) {
                return requests;
            }
            String text = Files.readString(plane.auditLog());
            // What comes after the last line end is being written just now.
            for (String line : text.substring(0, text.lastIndexOf('\n') + 1).split("\n", -1)) {
                if (line.isEmpty() || !line.contains('"' + user + '"')) {
                    continue;
                }
                Tree event = Tree.parse(line);
                if (event.text("user.username").equals(user) && seen.add(event.text("auditID"))) {
                    requests.add(new ServedRequest(
                            event.text("verb"),
                            event.text("requestURI"),
                            (int) event.number("responseStatus.code"),
                            event.text("userAgent")));
                }
            }
            return requests;
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot read " + plane.auditLog(), e);
        }
    }

    @Override
    public boolean makesServiceAccounts() {
        return plane.hasControllers();
    }

    @Override
    public void testFailed() {
        plane.keepLogs();
    }

    @Override
    public void close() {
        // The plane is shared: it ends with the JVM.
    }
}
