// Chat completions in Java: `java Https.java KIND URL CALLS [GO]`. KIND is http1, http2 (java.net.http: SSLEngine) or connection
// (HttpsURLConnection: SSLSocket). With GO it prints `waiting` and begins when that file exists. Prints `ok CALLS`.
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public final class Https {
    static SSLContext context() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (FileInputStream pem = new FileInputStream(System.getenv("SSL_CERT_FILE"))) {
            store.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    static String body(int number) {
        String text = "call " + number + " " + "x".repeat(number * 7919);
        String stream = number % 2 == 1 ? "\"stream\":true," : "";
        return "{\"model\":\"gpt-4o-mini\"," + stream + "\"messages\":[{\"role\":\"user\",\"content\":\"" + text + "\"}]}";
    }

    static void check(int status, String answer, int number) {
        if (status != 200 || (number % 2 == 1) != answer.contains("[DONE]")) {
            throw new IllegalStateException(status + ": " + answer);
        }
    }

    static void engine(HttpClient.Version version, String url, int calls) throws Exception {
        HttpClient client = HttpClient.newBuilder().sslContext(context()).version(version).build();
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (int number = 0; number < calls; number++) {
            int n = number;
            HttpRequest request = HttpRequest.newBuilder(URI.create(url)).header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body(n))).build();
            CompletableFuture<Void> one = client.sendAsync(request, HttpResponse.BodyHandlers.ofString())
                .thenAccept(answer -> check(answer.statusCode(), answer.body(), n));
            if (number == 0) {
                one.get();
            }
            all.add(one);
        }
        for (CompletableFuture<Void> one : all) {
            one.get();
        }
    }

    static void socket(String url, int calls) throws Exception {
        SSLContext context = context();
        for (int number = 0; number < calls; number++) {
            HttpsURLConnection connection = (HttpsURLConnection) new URL(url).openConnection();
            connection.setSSLSocketFactory(context.getSocketFactory());
            connection.setRequestProperty("content-type", "application/json");
            connection.setDoOutput(true);
            try (OutputStream output = connection.getOutputStream()) {
                output.write(body(number).getBytes(StandardCharsets.UTF_8));
            }
            // Somebody's interrupt must not end the observation of the others.
            Thread.currentThread().interrupt();
            Thread.interrupted();
            try (InputStream input = connection.getInputStream()) {
                check(connection.getResponseCode(), new String(input.readAllBytes(), StandardCharsets.UTF_8), number);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        int calls = Integer.parseInt(args[2]);
        if (args.length > 3) {
            System.out.println("waiting");
            while (!Files.exists(Paths.get(args[3]))) {
                Thread.sleep(10);
            }
        }
        switch (args[0]) {
            case "http1": engine(HttpClient.Version.HTTP_1_1, args[1], calls); break;
            case "http2": engine(HttpClient.Version.HTTP_2, args[1], calls); break;
            case "connection": socket(args[1], calls); break;
            default: throw new IllegalArgumentException(args[0]);
        }
        System.out.println("ok " + calls);
        System.exit(0);
    }
}
