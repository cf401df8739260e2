package org.fluvial.broker;

import kafka.Kafka;
import kafka.tools.StorageTool;

/**
 * A Kafka broker that first formats its folder, where that is new: {@code FormattedBroker CONFIGURATION [CLUSTER_ID]}.
 *
 * <p>Kafka has a program of its own for that, and most of what it takes is the start of its JVM and the classes of the
 * configuration, which the broker then loads a second time.
 */
public final class FormattedBroker {
    /** Exit status: the folder could not be formatted. Kafka itself ends with 1. */
    private static final int NOT_FORMATTED = 3;

    private FormattedBroker() {}

    public static void main(String[] arguments) {
        String configuration = arguments[0];
        if (arguments.length > 1) {
            format(configuration, arguments[1]);
        }
        Kafka.main(new String[] {configuration});
    }

    private static void format(String configuration, String clusterId) {
        int status;
        try {
            // In one word, because an id may begin with a dash.
            status = StorageTool.execute(
                    new String[] {"format", "--standalone", "--cluster-id=" + clusterId, "--config", configuration}, System.out);
        } catch (Throwable error) {
            error.printStackTrace();
            status = NOT_FORMATTED;
        }
        if (status != 0) {
            System.exit(NOT_FORMATTED);
        }
    }
}
