package fleet.deploy.server;

import org.eclipse.hawkbit.autoconfigure.security.EnableHawkbitManagedSecurityConfiguration;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** Starts hawkBit from its library jars: for releases whose executable jar cannot be had. */
@SpringBootApplication
@EnableHawkbitManagedSecurityConfiguration
public class FleetHawkbit {
    public static void main(final String[] args) {
        SpringApplication.run(FleetHawkbit.class, args);
    }
}
