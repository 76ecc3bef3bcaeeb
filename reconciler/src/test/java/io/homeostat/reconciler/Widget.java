package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Version;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A custom resource for tests. */
@Group("test.example.com")
@Version("v1")
public class Widget extends CustomResource<Widget.Spec, Widget.Status> implements Namespaced {
    private static final long serialVersionUID = 1;

    /** What is wanted. */
    public static class Spec {
        public int size;
    }

    /** What is there. */
    public static class Status {
        public @Nullable Integer seen;
        public @Nullable String note;
        public List<Condition> conditions = new ArrayList<>();
    }

    static final String CRD =
            """
            apiVersion: apiextensions.k8s.io/v1
            kind: CustomResourceDefinition
            metadata:
              name: widgets.test.example.com
            spec:
              group: test.example.com
              scope: Namespaced
              names: {kind: Widget, listKind: WidgetList, plural: widgets, singular: widget}
              versions:
                - name: v1
                  served: true
                  storage: true
                  subresources: {status: {}}
                  schema:
                    openAPIV3Schema:
                      type: object
                      properties:
                        spec:
                          type: object
                          properties: {size: {type: integer}}
                        status:
                          type: object
                          x-kubernetes-preserve-unknown-fields: true
                          properties: {seen: {type: integer}, note: {type: string}, conditions: {type: array, items: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
            """;
}
