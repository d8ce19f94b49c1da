//! Host to `gen_ai.provider.name`. Data, not code: the host names the provider and decides nothing else.

use crate::call::Api;
use crate::codec::registry;

/// A user's rule: calls to this host are this provider's. Rules are tried in order, before the built-in table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    /// Host without port, compared without case; `*` stands for any run of characters.
    pub host: String,
    /// `gen_ai.provider.name`.
    pub provider: String,
}

/// Built-in rules: host pattern, path part that must occur (empty: any), provider. The first that matches decides.
/// Well-known values are those of the conventions' enumeration; others are the names that the field uses.
const HOSTS: &[(&str, &str, &str)] = &[
    ("api.openai.com", "", "openai"),
    ("*.api.openai.com", "", "openai"),
    ("chatgpt.com", "/backend-api/", "openai"),
    ("api.anthropic.com", "", "anthropic"),
    ("*.services.ai.azure.com", "/anthropic/", "anthropic"),
    ("aws-external-anthropic.*.api.aws", "", "anthropic"),
    ("claude.googleapis.com", "", "anthropic"),
    ("*.openai.azure.com", "", "azure.ai.openai"),
    ("*.openai.azure.us", "", "azure.ai.openai"),
    ("*.cognitiveservices.azure.com", "/openai/", "azure.ai.openai"),
    ("*.services.ai.azure.com", "/openai/", "azure.ai.openai"),
    ("*.azure-api.net", "/openai/", "azure.ai.openai"),
    ("*.cognitiveservices.azure.com", "", "azure.ai.inference"),
    ("*.services.ai.azure.com", "", "azure.ai.inference"),
    ("*.models.ai.azure.com", "", "azure.ai.inference"),
    ("models.inference.ai.azure.com", "", "azure.ai.inference"),
    ("*.inference.ml.azure.com", "", "azure.ai.inference"),
    ("*.azure-api.net", "", "azure.ai.inference"),
    ("generativelanguage.googleapis.com", "", "gcp.gemini"),
    ("*.generativelanguage.googleapis.com", "", "gcp.gemini"),
    ("aiplatform.googleapis.com", "", "gcp.vertex_ai"),
    ("*-aiplatform.googleapis.com", "", "gcp.vertex_ai"),
    ("aiplatform.*.rep.googleapis.com", "", "gcp.vertex_ai"),
    ("*aiplatform.mtls.googleapis.com", "", "gcp.vertex_ai"),
    ("*cloudcode-pa.googleapis.com", "", "gcp.gemini"),
    ("bedrock*.amazonaws.com", "", "aws.bedrock"),
    ("bedrock*.amazonaws.com.cn", "", "aws.bedrock"),
    ("bedrock*.api.aws", "", "aws.bedrock"),
    ("vpce-*.bedrock*", "", "aws.bedrock"),
    ("runtime.sagemaker*.amazonaws.com*", "/endpoints/", "aws.sagemaker"),
    ("*.runtime.sagemaker*", "/endpoints/", "aws.sagemaker"),
    ("api.cohere.com", "", "cohere"),
    ("api.cohere.ai", "", "cohere"),
    ("*.cohere.com", "", "cohere"),
    ("*.cohere.ai", "", "cohere"),
    ("api.mistral.ai", "", "mistral_ai"),
    ("codestral.mistral.ai", "", "mistral_ai"),
    ("*.mistral.ai", "", "mistral_ai"),
    ("api.groq.com", "", "groq"),
    ("api.x.ai", "", "x_ai"),
    ("*.api.x.ai", "", "x_ai"),
    ("api.deepseek.com", "", "deepseek"),
    ("api.perplexity.ai", "", "perplexity"),
    ("api.moonshot.ai", "", "moonshot_ai"),
    ("api.moonshot.cn", "", "moonshot_ai"),
    ("*.ml.cloud.ibm.com", "", "ibm.watsonx.ai"),
    ("openrouter.ai", "", "openrouter"),
    ("*.openrouter.ai", "", "openrouter"),
    ("api.together.xyz", "", "together_ai"),
    ("api.together.ai", "", "together_ai"),
    ("api.fireworks.ai", "", "fireworks"),
    ("api.cerebras.ai", "", "cerebras"),
    ("inference.baseten.co", "", "baseten"),
    ("*.api.baseten.co", "", "baseten"),
    ("router.huggingface.co", "", "huggingface"),
    ("api-inference.huggingface.co", "", "huggingface"),
    ("*.endpoints.huggingface.cloud", "", "huggingface"),
    ("integrate.api.nvidia.com", "", "nvidia"),
    ("ai.api.nvidia.com", "", "nvidia"),
    ("api.deepinfra.com", "", "deepinfra"),
    ("api.sambanova.ai", "", "sambanova"),
    ("api.novita.ai", "", "novita"),
    ("api.hyperbolic.xyz", "", "hyperbolic"),
    ("api.studio.nebius.*", "", "nebius"),
    ("api.tokenfactory.nebius.com", "", "nebius"),
    ("dashscope*.aliyuncs.com", "", "alibaba"),
    ("api.z.ai", "", "z_ai"),
    ("open.bigmodel.cn", "", "z_ai"),
    ("api.minimax*.io", "", "minimax"),
    ("api.minimax*.com", "", "minimax"),
    ("api.xiaomimimo.com", "", "xiaomi"),
    ("ai-gateway.vercel.sh", "", "vercel"),
    ("gateway.ai.cloudflare.com", "/openai/", "openai"),
    ("gateway.ai.cloudflare.com", "/anthropic/", "anthropic"),
    ("gateway.ai.cloudflare.com", "/azure-openai/", "azure.ai.openai"),
    ("gateway.ai.cloudflare.com", "/groq/", "groq"),
    ("gateway.ai.cloudflare.com", "/mistral/", "mistral_ai"),
    ("gateway.ai.cloudflare.com", "", "cloudflare"),
    ("api.cloudflare.com", "", "cloudflare"),
    ("models.github.ai", "", "github"),
    ("api.githubcopilot.com", "", "github_copilot"),
    ("*.githubcopilot.com", "", "github_copilot"),
    ("*.snowflakecomputing.com", "", "snowflake"),
    ("*.databricks.com", "", "databricks"),
    ("*.azuredatabricks.net", "", "databricks"),
    ("api.voyageai.com", "", "voyage"),
    ("api.jina.ai", "", "jina"),
    ("api.writer.com", "", "writer"),
    ("api.avian.io", "", "avian"),
    ("*.crusoecloud.com", "", "crusoe"),
    ("*.pollinations.ai", "", "pollinations"),
    ("api.portkey.ai", "", "portkey"),
    ("us.inference.heroku.com", "", "heroku"),
    ("eu.inference.heroku.com", "", "heroku"),
    ("ollama.com", "", "ollama"),
    ("*.pinecone.io", "", "pinecone"),
    ("api.tavily.com", "", "tavily"),
    ("api.exa.ai", "", "exa"),
    // Vertex behind a name of one's own: no other API has such paths.
    ("*", "/publishers/google/models/", "gcp.vertex_ai"),
    ("*", "/publishers/anthropic/models/", "gcp.vertex_ai"),
];

/// The provider of a call: the user's rules, then the built-in table, then the flavour of the API.
pub(crate) fn name(rules: &[HostRule], host: Option<&str>, path: &str, api: Api) -> String {
    host.and_then(|host| of_host(rules, host, path)).unwrap_or_else(|| flavour(api).to_owned())
}

/// The provider that a host names, if it names one.
pub(crate) fn of_host(rules: &[HostRule], host: &str, path: &str) -> Option<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let ours = rules
        .iter()
        .find(|rule| matches(&rule.host.to_ascii_lowercase(), &host))
        .map(|rule| rule.provider.clone());
    ours.or_else(|| {
        let known = HOSTS.iter().find(|(pattern, part, _)| matches(pattern, &host) && path.contains(part));
        known.map(|(_, _, provider)| (*provider).to_owned())
    })
}

fn flavour(api: Api) -> &'static str {
    registry::spec(api).map_or("", |spec| spec.flavour)
}

/// Glob match with `*` only. Linear: each star takes the first place that fits, the last part must end the text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// Host and port of an authority: `host`, `host:port`, `[v6]`, `[v6]:port`, with or without `user@`.
pub(crate) fn split_authority(authority: &str) -> (&str, Option<u16>) {
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (host, after.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(host: &str, path: &str) -> Option<String> {
        of_host(&[], host, path)
    }

    #[test]
    fn hosts_name_providers() {
        assert_eq!(known("API.openai.com", "/v1/responses").as_deref(), Some("openai"));
        assert_eq!(known("me.openai.azure.com", "/x").as_deref(), Some("azure.ai.openai"));
        assert_eq!(
            known("x.services.ai.azure.com", "/models/chat/completions").as_deref(),
            Some("azure.ai.inference")
        );
        assert_eq!(known("x.services.ai.azure.com", "/anthropic/v1/messages").as_deref(), Some("anthropic"));
        assert_eq!(
            known("bedrock-mantle.us-east-1.api.aws", "/v1/responses").as_deref(),
            Some("aws.bedrock")
        );
        assert_eq!(known("us-east5-aiplatform.googleapis.com", "/").as_deref(), Some("gcp.vertex_ai"));
        assert_eq!(known("dashscope-intl.aliyuncs.com", "/").as_deref(), Some("alibaba"));
        assert_eq!(known("localhost", "/v1/chat/completions"), None);
        assert_eq!(known("evil-api.openai.com.example.org", "/"), None);
    }

    #[test]
    fn rules_of_the_user_come_first() {
        let rules = [HostRule { host: "*.llm.Internal".into(), provider: "ours".into() }];
        assert_eq!(name(&rules, Some("a.llm.internal"), "/", Api::OpenAiChat), "ours");
        assert_eq!(name(&rules, Some("b.internal"), "/", Api::OpenAiChat), "openai");
        assert_eq!(name(&rules, None, "/", Api::AnthropicMessages), "anthropic");
    }

    #[test]
    fn authorities() {
        assert_eq!(split_authority("a.b:8443"), ("a.b", Some(8443)));
        assert_eq!(split_authority("[::1]:80"), ("::1", Some(80)));
        assert_eq!(split_authority("::1"), ("::1", None));
        assert_eq!(split_authority("u:p@h"), ("h", None));
    }
}
