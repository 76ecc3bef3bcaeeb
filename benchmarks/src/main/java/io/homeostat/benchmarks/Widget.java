package io.homeostat.benchmarks;

import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Version;

/** The custom resource of the benchmarks; the definition is in {@code go/seed}. */
@Group("bench.homeostat.io")
@Version("v1")
public final class Widget extends CustomResource<WidgetSpec, WidgetStatus> implements Namespaced {}
