package io.homeostat.client;

import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Version;

/** The model classes of an application that has a class loader of its own: public, as those of another loader are no neighbours. */
public final class ApplicationModel {
    private ApplicationModel() {}

    /** A resource. */
    @Group("example.com")
    @Version("v1")
    public static class Part extends CustomResource<Shape, Void> implements Namespaced {}

    /** Its spec. */
    public static class Shape {
        public int corners = 3;
    }
}
