package io.homeostat.testkit;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.Extension;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.api.extension.TestTemplateInvocationContext;
import org.junit.jupiter.api.extension.TestTemplateInvocationContextProvider;
import org.junit.platform.commons.support.AnnotationSupport;

/** Runs a method with {@link OperatorTest} once per backend, and gives each run its {@link Cluster}. */
final class OperatorTestExtension implements TestTemplateInvocationContextProvider {
    @Override
    public boolean supportsTestTemplate(ExtensionContext context) {
        return AnnotationSupport.isAnnotated(context.getTestMethod(), OperatorTest.class);
    }

    @Override
    public Stream<TestTemplateInvocationContext> provideTestTemplateInvocationContexts(ExtensionContext context) {
        return Stream.of(
                        AnnotationSupport.findAnnotation(context.getRequiredTestMethod(), OperatorTest.class),
                        AnnotationSupport.findAnnotation(context.getRequiredTestClass(), OperatorTest.class))
                .flatMap(Optional::stream)
                .map(OperatorTest::on)
                .filter(on -> on.length > 0)
                .findFirst()
                .map(Arrays::stream)
                .orElseGet(() -> Stream.of(Backend.SIMULATOR))
                .distinct()
                .map(Invocation::new);
    }

    private record Invocation(Backend backend) implements TestTemplateInvocationContext {
        @Override
        public String getDisplayName(int index) {
            return "on " + backend.title();
        }

        @Override
        public List<Extension> getAdditionalExtensions() {
            return List.of(new OnBackend(backend));
        }
    }

    /** The life of one test on one backend. */
    private record OnBackend(Backend backend)
            implements ExecutionCondition, BeforeEachCallback, AfterEachCallback, ParameterResolver {
        private static final Namespace NAMESPACE = Namespace.create(OperatorTestExtension.class);

        @Override
        public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
            if (backend == Backend.REAL && context.getTestMethod().isPresent()) {
                return RealControlPlane.whyUnavailable()
                        .map(ConditionEvaluationResult::disabled)
                        .orElseGet(() -> ConditionEvaluationResult.enabled("there is a real kube-apiserver"));
            }
            return ConditionEvaluationResult.enabled("the simulator is always there");
        }

        @Override
        public void beforeEach(ExtensionContext context) {
            context.getStore(NAMESPACE).put(OutputWatch.class, OutputWatch.start());
            ThreadLeakCheck.remember(context);
        }

        @Override
        public void afterEach(ExtensionContext context) {
            Life life = context.getStore(NAMESPACE).get(Life.class, Life.class);
            OutputWatch output = context.getStore(NAMESPACE).remove(OutputWatch.class, OutputWatch.class);
            if (output != null) {
                output.close();
            }
            try {
                if (life != null) {
                    Optional<String> leak = end(life, output);
                    if (leak.isPresent()) {
                        throw new AssertionError(leak.get());
                    }
                }
                if (context.getExecutionException().isEmpty()) {
                    ThreadLeakCheck.check(context);
                }
            } catch (RuntimeException | Error e) {
                failed(life);
                throw e;
            } finally {
                if (context.getExecutionException().isPresent()) {
                    failed(life);
                }
            }
        }

        /** Ends the test's cluster, whatever becomes of the look for canaries: it asks a server that the test may have stopped. */
        private static Optional<String> end(Life life, @Nullable OutputWatch output) {
            try {
                return output == null ? Optional.empty() : life.cluster.canaryFoundIn(output);
            } finally {
                try {
                    life.cluster.cleanUp();
                } finally {
                    life.server.close();
                }
            }
        }

        private static void failed(@Nullable Life life) {
            if (life != null) {
                life.server.testFailed();
            }
        }

        @Override
        public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
            return parameter.getParameter().getType() == Cluster.class;
        }

        @Override
        public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
            return cluster(context);
        }

        private Cluster cluster(ExtensionContext context) {
            return context.getStore(NAMESPACE).computeIfAbsent(Life.class, key -> begin(context), Life.class).cluster;
        }

        private Life begin(ExtensionContext context) {
            TestServer server =
                    backend == Backend.REAL ? new RealTestServer(RealControlPlane.shared()) : new SimulatorTestServer();
            Life life;
            try {
                life = new Life(server, Cluster.create(server, namespaceFor(context)));
            } catch (RuntimeException | Error e) {
                server.testFailed();
                server.close();
                throw e;
            }
            ThreadLeakCheck.remember(context); // the server's own threads are no leak of the test
            return life;
        }

        /** Tells which test it was, also in the server's logs, and never comes twice. */
        private static String namespaceFor(ExtensionContext context) {
            String method = context.getTestMethod().map(m -> m.getName()).orElse("test");
            String words = method.replaceAll("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-")
                    .replaceAll("[^A-Za-z0-9-]", "-");
            String start = words.substring(0, Math.min(40, words.length())).toLowerCase(Locale.ROOT);
            return "t-" + start + "-"
                    + Integer.toString(ThreadLocalRandom.current().nextInt(46656, 1679616), 36);
        }
    }

    private record Life(TestServer server, Cluster cluster) {}
}
