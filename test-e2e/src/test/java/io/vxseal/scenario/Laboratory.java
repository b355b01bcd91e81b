package io.vxseal.scenario;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A class of scenarios that share one laboratory: it is opened before the first, closed after the last, and
 * given to whatever method has a parameter of type {@link io.vxseal.lab.Lab}. When one fails, what tells why is
 * kept and named in the failure.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(LaboratoryExtension.class)
@interface Laboratory {

    int guests() default 2;

    String suite() default "trixie";

    /**
     * Whether the product, which the hosts find under /payload, is installed and enabled already. That is done once for
     * each build of it.
     */
    boolean installed() default false;
}
