package io.wirespan;

import java.security.Provider;
import java.security.Security;
import javax.net.ssl.SSLContext;

/** A context that exists already, observed. */
final class ObservedContext extends SSLContext {
    ObservedContext(SSLContext context, Tap tap) {
        super(new ObservedContextSpi(context, tap), provider(context), context.getProtocol());
    }

    private static Provider provider(SSLContext context) {
        Provider observing = Security.getProvider(ObservingProvider.NAME);
        return observing == null ? context.getProvider() : observing;
    }
}
