package io.homeostat.integrationtests;

import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.LineMap;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.ModifiersTree;
import com.sun.source.tree.Tree;
import com.sun.source.tree.VariableTree;
import com.sun.source.util.DocTrees;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TreePathScanner;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.lang.model.element.Modifier;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/** Finds public types and members of public types that have no Javadoc; parses sources, compiles nothing. */
final class Javadoc {
    private Javadoc() {}

    /** Every undocumented type or member under {@code folder}, as {@code File.java:line name}. */
    static List<String> missing(Path folder) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        List<String> missing = new ArrayList<>();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null);
                Stream<Path> found = Files.walk(folder)) {
            List<Path> sources = found.filter(file -> file.toString().endsWith(".java"))
                    .filter(file -> !file.endsWith("package-info.java"))
                    .sorted()
                    .toList();
            if (sources.isEmpty()) {
                return missing;
            }
            JavacTask task = (JavacTask) compiler.getTask(
                    null, files, null, List.of("-proc:none"), null, files.getJavaFileObjectsFromPaths(sources));
            DocTrees docs = DocTrees.instance(task);
            for (CompilationUnitTree unit : task.parse()) {
                new Scanner(unit, docs, missing).scan(unit, null);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot read the sources under " + folder, e);
        }
        return missing;
    }

    private static final class Scanner extends TreePathScanner<@Nullable Void, @Nullable Void> {
        private final CompilationUnitTree unit;
        private final DocTrees docs;
        private final List<String> missing;

        Scanner(CompilationUnitTree unit, DocTrees docs, List<String> missing) {
            this.unit = unit;
            this.docs = docs;
            this.missing = missing;
        }

        @Override
        public @Nullable Void visitClass(ClassTree type, @Nullable Void nothing) {
            if (!isVisible(type.getModifiers())) {
                return null; // nothing in it is visible either
            }
            require(type, type.getSimpleName().toString());
            return super.visitClass(type, null);
        }

        @Override
        public @Nullable Void visitMethod(MethodTree method, @Nullable Void nothing) {
            boolean overrides = method.getModifiers().getAnnotations().stream()
                    .anyMatch(annotation ->
                            annotation.getAnnotationType().toString().equals("Override"));
            boolean ofRecord = method.getReturnType() == null && owner().getKind() == Tree.Kind.RECORD;
            if (!overrides && !ofRecord && isVisible(method.getModifiers())) {
                require(method, owner().getSimpleName() + "." + method.getName());
            }
            return null; // what is local in it is nobody's business
        }

        @Override
        public @Nullable Void visitVariable(VariableTree field, @Nullable Void nothing) {
            if (owner().getKind() != Tree.Kind.RECORD && isVisible(field.getModifiers())) {
                require(field, owner().getSimpleName() + "." + field.getName());
            }
            return null;
        }

        private ClassTree owner() {
            return (ClassTree) getCurrentPath().getParentPath().getLeaf();
        }

        private boolean isVisible(ModifiersTree modifiers) {
            if (modifiers.getFlags().contains(Modifier.PRIVATE)) {
                return false;
            }
            Tree parent = getCurrentPath().getParentPath().getLeaf();
            boolean inInterface = parent instanceof ClassTree type
                    && (type.getKind() == Tree.Kind.INTERFACE || type.getKind() == Tree.Kind.ANNOTATION_TYPE);
            return inInterface
                    || modifiers.getFlags().contains(Modifier.PUBLIC)
                    || modifiers.getFlags().contains(Modifier.PROTECTED);
        }

        private void require(Tree tree, String name) {
            if (docs.getDocComment(getCurrentPath()) == null) {
                LineMap lines = unit.getLineMap();
                long at = docs.getSourcePositions().getStartPosition(unit, tree);
                String file =
                        Path.of(unit.getSourceFile().getName()).getFileName().toString();
                missing.add(file + ":" + lines.getLineNumber(at) + " " + name);
            }
        }
    }
}
