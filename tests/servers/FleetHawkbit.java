package fleet.deploy.server;

import org.eclipse.hawkbit.autoconfigure.security.EnableHawkbitManagedSecurityConfiguration;
import org.springframework.beans.factory.config.BeanDefinition;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Role;
import org.springframework.security.access.intercept.aopalliance.MethodSecurityMetadataSourceAdvisor;
import org.springframework.security.access.method.MethodSecurityMetadataSource;

/** Starts hawkBit from its library jars: for releases whose executable jar cannot be had. */
@SpringBootApplication
@EnableHawkbitManagedSecurityConfiguration
public class FleetHawkbit {
    public static void main(final String[] args) {
        SpringApplication.run(FleetHawkbit.class, args);
    }

    /**
     * Applies the permission rules that hawkBit declares on its methods. The executable jar does so as a part
     * of its user interface, which is not among the libraries; without it every user may do everything.
     */
    @Bean
    @Role(BeanDefinition.ROLE_INFRASTRUCTURE)
    static MethodSecurityMetadataSourceAdvisor permissionChecks(final MethodSecurityMetadataSource rules) {
        return new MethodSecurityMetadataSourceAdvisor(
                "methodSecurityInterceptor", rules, "methodSecurityMetadataSource");
    }
}
