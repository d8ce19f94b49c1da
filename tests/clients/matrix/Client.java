// One client of the matrix in Java: java.net.http over HTTP/1.1 or HTTP/2.
//
//     java Client 1|2 URL CALLS CONCURRENT SIZE [FIRST]
//
// Makes CALLS calls of the API at URL, CONCURRENT at a time, with prompts of SIZE bytes; every second one is streamed. FIRST is called
// once before them. Prints `ok CALLS`.
import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public final class Client {
    private static SSLContext trusting(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (FileInputStream pem = new FileInputStream(file)) {
            store.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        return context;
    }

    private static Void call(HttpClient client, String url, int number, int size) throws Exception {
        String stream = number % 2 == 1 ? "\"stream\":true," : "";
        String text = "java " + number + " \u00e4\u00f6\u00fc " + "x".repeat(size);
        String body = "{\"model\":\"gpt-4o-mini\"," + stream + "\"messages\":[{\"role\":\"user\",\"content\":\"" + text + "\"}]}";
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).header("content-type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body)).build();
        HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200 || (number % 2 == 1) != answer.body().contains("[DONE]")) {
            throw new IllegalStateException(answer.statusCode() + ": " + answer.body());
        }
        return null;
    }

    public static void main(String[] args) throws Exception {
        String url = args[1];
        int calls = Integer.parseInt(args[2]);
        int size = Integer.parseInt(args[4]);
        HttpClient client = HttpClient.newBuilder().sslContext(trusting(System.getenv("SSL_CERT_FILE")))
            .version(args[0].equals("2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1).build();
        if (args.length > 5) {
            call(client, args[5], 0, size);
        }
        ExecutorService pool = Executors.newFixedThreadPool(Integer.parseInt(args[3]));
        List<Future<Void>> all = new ArrayList<>();
        for (int number = 0; number < calls; number++) {
            int n = number;
            all.add(pool.submit(() -> call(client, url, n, size)));
        }
        for (Future<Void> one : all) {
            one.get();
        }
        pool.shutdown();
        System.out.println("ok " + calls);
        System.exit(0);
    }
}
