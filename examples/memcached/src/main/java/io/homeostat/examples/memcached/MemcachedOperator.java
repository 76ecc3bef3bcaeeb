package io.homeostat.examples.memcached;

import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.homeostat.client.ApiClient;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.ResourceType;
import io.homeostat.reconciler.Operator;
import io.homeostat.reconciler.OperatorException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** The operator as a program: on the embedded simulator, or on the cluster of {@code --kubeconfig}. */
public final class MemcachedOperator {
    static final String NAME = "memcached-operator";

    private MemcachedOperator() {}

    /** The operator. */
    public static Operator description() {
        // region operator
        return Operator.named(NAME).controller(Memcached.class, c -> c.owns(Deployment.class)
                .owns(Service.class)
                .reconciler(new MemcachedReconciler()));
        // endregion operator
    }

    /** The CustomResourceDefinition, as YAML. */
    public static String crd() {
        return manifest("crd.yaml");
    }

    /** Runs until it is asked to end. */
    public static void main(String[] args) {
        // The lines have a "×", whatever the locale says.
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        try {
            description()
                    .observer(out::println)
                    .defaultCluster(new EmbeddedCluster())
                    .flag("install-crd", "install the CustomResourceDefinition first", MemcachedOperator::installCrd)
                    .run(args);
        } catch (OperatorException failed) {
            System.err.println(failed.getMessage());
            System.exit(failed.exitCode());
        }
    }

    static void installCrd(BlockingApiClient client) {
        client.apply(
                ResourceType.of(CustomResourceDefinition.class),
                ObjectKey.clusterScoped("memcacheds.cache.example.com"),
                new ApiClient.Apply(NAME, ApiClient.Apply.Force.YES),
                crd().getBytes(StandardCharsets.UTF_8));
    }

    static String manifest(String name) {
        try (InputStream file = MemcachedOperator.class.getResourceAsStream("/" + name)) {
            if (file == null) {
                throw new IllegalStateException("The manifest " + name + " is missing from the class path");
            }
            return new String(file.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException unreadable) {
            throw new UncheckedIOException("The manifest " + name + " cannot be read", unreadable);
        }
    }
}
