package io.wirespan;

import java.security.NoSuchAlgorithmException;
import java.security.Provider;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import javax.net.ssl.SSLContext;

/** Offers every TLS context of another provider as an observed one. */
final class ObservingProvider extends Provider {
    static final String NAME = "wirespan";

    private static final long serialVersionUID = 1;
    private static final String TYPE = "SSLContext";
    private static final String ALIAS = "Alg.Alias." + TYPE + ".";

    @SuppressWarnings({"deprecation", "this-escape"}) // The constructor that takes the version as text is not in Java 8.
    ObservingProvider(Provider base, Tap tap) {
        super(NAME, 1.0, "TLS contexts of " + base.getName() + ", observed by wirespan");
        for (Service service : base.getServices()) {
            if (service.getType().equals(TYPE)) {
                putService(new Observed(this, service, aliases(base, service.getAlgorithm()), base, tap));
            }
        }
    }

    private static List<String> aliases(Provider base, String algorithm) {
        List<String> aliases = new ArrayList<>();
        for (String key : base.stringPropertyNames()) {
            if (key.startsWith(ALIAS) && base.getProperty(key).equals(algorithm)) {
                aliases.add(key.substring(ALIAS.length()));
            }
        }
        return aliases;
    }

    private static final class Observed extends Service {
        private final Provider base;
        private final Tap tap;

        Observed(Provider provider, Service service, List<String> aliases, Provider base, Tap tap) {
            super(provider, TYPE, service.getAlgorithm(), ObservedContextSpi.class.getName(), aliases, Collections.emptyMap());
            this.base = base;
            this.tap = tap;
        }

        @Override
        public Object newInstance(Object parameter) throws NoSuchAlgorithmException {
            return new ObservedContextSpi(SSLContext.getInstance(getAlgorithm(), base), tap);
        }
    }
}
