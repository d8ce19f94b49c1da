package io.wirespan;

import java.lang.instrument.Instrumentation;
import java.security.Security;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;

/**
 * Entry of the agent, by {@code -javaagent} or by attaching to a running process. It changes no class: it puts a security provider before
 * the others, so that TLS contexts made from then on are observed ones.
 */
public final class Agent {
    private Agent() {}

    /** Before the program's own {@code main}. Nothing is made yet: the program may still set its trust store. */
    public static void premain(String options, Instrumentation instrumentation) {
        install();
    }

    /** In a running program, whose default context may exist already. */
    public static void agentmain(String options, Instrumentation instrumentation) throws Exception {
        Tap tap = install();
        if (tap == null) {
            return;
        }
        SSLContext current = SSLContext.getDefault();
        if (!(current.getProvider() instanceof ObservingProvider)) {
            SSLContext.setDefault(new ObservedContext(current, tap));
        }
        if (!(HttpsURLConnection.getDefaultSSLSocketFactory() instanceof ObservedSocketFactory)) {
            HttpsURLConnection.setDefaultSSLSocketFactory(
                    new ObservedSocketFactory(HttpsURLConnection.getDefaultSSLSocketFactory(), tap));
        }
    }

    /** @return null where it is installed already, or cannot be; the program goes on as it was. */
    private static synchronized Tap install() {
        if (Security.getProvider(ObservingProvider.NAME) != null) {
            return null;
        }
        try {
            Tap tap = Tap.open();
            Security.insertProviderAt(new ObservingProvider(SSLContext.getInstance("TLS").getProvider(), tap), 1);
            return tap;
        } catch (Exception error) {
            System.err.println("wirespan: TLS of this Java process is not observed: " + error);
            return null;
        }
    }
}
