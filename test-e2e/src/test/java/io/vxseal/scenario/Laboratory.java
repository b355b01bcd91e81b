package io.vxseal.scenario;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A class of scenarios that share one laboratory. It is opened before the first, closed after the last, and
 * passed to each parameter of type {@link io.vxseal.lab.Lab}. The evidence of a failure is
 * kept, and the failure names its folder.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(LaboratoryExtension.class)
@interface Laboratory {

    int guests() default 2;

    String suite() default "trixie";

    /**
     * Whether the product, which the hosts find under /payload, is installed and enabled already. This is done once per
     * build.
     */
    boolean installed() default false;
}
