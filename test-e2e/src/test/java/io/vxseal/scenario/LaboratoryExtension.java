package io.vxseal.scenario;

import io.vxseal.lab.Lab;
import io.vxseal.lab.Product;
import java.nio.file.Path;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.LifecycleMethodExecutionExceptionHandler;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.api.extension.TestExecutionExceptionHandler;

/** Opens and closes the laboratory of a class, and keeps the evidence of a failure. */
final class LaboratoryExtension implements BeforeAllCallback, AfterAllCallback, ParameterResolver,
        TestExecutionExceptionHandler, LifecycleMethodExecutionExceptionHandler {

    /** Names the Debian suite of all laboratories, in place of their own. */
    private static final String SUITE = "scenarios.suite";

    private static final Namespace SPACE = Namespace.create(LaboratoryExtension.class);

    @Override
    public void beforeAll(ExtensionContext context) {
        Laboratory wanted = context.getRequiredTestClass().getAnnotation(Laboratory.class);
        Lab lab = Lab.open(plan(wanted),
                line -> System.out.println("lab: " + LocalTime.now(ZoneId.systemDefault()).truncatedTo(ChronoUnit.SECONDS) + " " + line));
        context.getStore(SPACE).put(Lab.class, lab);
    }

    private static Lab.Plan plan(Laboratory wanted) {
        Lab.Plan plan = Lab.Plan.of(System.getProperty(SUITE, wanted.suite()), wanted.guests());
        if (wanted.installed()) {
            return plan.withInstalled(Product.here());
        }
        return plan.with(Product.here());
    }

    @Override
    public void afterAll(ExtensionContext context) {
        lab(context).ifPresent(Lab::close);
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == Lab.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return lab(context).orElseThrow();
    }

    @Override
    public void handleTestExecutionException(ExtensionContext context, Throwable failure) {
        throw keep(context, context.getRequiredTestMethod().getName(), failure);
    }

    @Override
    public void handleBeforeAllMethodExecutionException(ExtensionContext context, Throwable failure) {
        throw keep(context, "start", failure);
    }

    private static AssertionError keep(ExtensionContext context, String what, Throwable failure) {
        String where = lab(context).map(lab -> lab.keep(context.getRequiredTestClass().getSimpleName() + "." + what))
                .map(Path::toString).orElse("no laboratory");
        return new AssertionError(failure.getMessage() + "\nevidence kept in " + where, failure);
    }

    private static Optional<Lab> lab(ExtensionContext context) {
        return Optional.ofNullable(context.getStore(SPACE).get(Lab.class, Lab.class));
    }
}
