<?php
// One client of the matrix in PHP: the curl extension, as Guzzle and the SDKs on it use it, or PHP's own stream wrapper.
//
// Usage: client.php curl|stream URL CALLS CONCURRENT SIZE [FIRST]
// Makes CALLS calls of the API at URL, CONCURRENT at a time (curl only), with prompts of SIZE bytes; every second one is streamed. FIRST
// is called once before them. Prints `ok CALLS`.
[, $kind, $url, $calls, $concurrent, $size] = $argv;
$first = $argv[6] ?? null;
$authority = getenv('SSL_CERT_FILE');

function body(int $number, int $size): string {
    $body = ['model' => 'gpt-4o-mini', 'messages' => [['role' => 'user', 'content' => "php $number äöü " . str_repeat('x', $size)]]];
    if ($number % 2) {
        $body['stream'] = true;
    }
    return json_encode($body);
}

function check(int $status, string $text, int $number): void {
    if ($status !== 200 || (bool) ($number % 2) !== str_contains($text, '[DONE]')) {
        fwrite(STDERR, "$status: " . substr($text, 0, 200) . "\n");
        exit(1);
    }
}

function handle(string $url, int $number, int $size): CurlHandle {
    $handle = curl_init($url);
    curl_setopt_array($handle, [
        CURLOPT_POSTFIELDS => body($number, $size), CURLOPT_HTTPHEADER => ['content-type: application/json', 'expect:'],
        CURLOPT_RETURNTRANSFER => true, CURLOPT_CAINFO => getenv('SSL_CERT_FILE'), CURLOPT_TIMEOUT => 120,
    ]);
    return $handle;
}

function with_curl(string $url, array $numbers, int $size): void {
    static $multi = null;
    $multi ??= curl_multi_init();
    $handles = [];
    foreach ($numbers as $number) {
        curl_multi_add_handle($multi, $handles[$number] = handle($url, $number, $size));
    }
    do {
        curl_multi_exec($multi, $running);
        curl_multi_select($multi, 0.05);
    } while ($running);
    foreach ($handles as $number => $handle) {
        check(curl_getinfo($handle, CURLINFO_RESPONSE_CODE), (string) curl_multi_getcontent($handle), $number);
        curl_multi_remove_handle($multi, $handle);
    }
}

function with_stream(string $url, array $numbers, int $size): void {
    foreach ($numbers as $number) {
        $context = stream_context_create([
            'http' => ['method' => 'POST', 'header' => "content-type: application/json\r\n", 'content' => body($number, $size), 'timeout' => 120],
            'ssl' => ['cafile' => getenv('SSL_CERT_FILE')],
        ]);
        $text = (string) file_get_contents($url, false, $context);
        check((int) (explode(' ', $http_response_header[0] ?? 'none 0')[1]), $text, $number);
    }
}

$call = "with_$kind";
if ($first) {
    $call($first, [0], (int) $size);
}
foreach (array_chunk(range(0, (int) $calls - 1), (int) $concurrent) as $numbers) {
    $call($url, $numbers, (int) $size);
}
echo "ok $calls\n";
