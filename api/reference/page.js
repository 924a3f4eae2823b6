// Starts Scalar: it calls nobody but this API, and forgets the key with the tab.
Scalar.createApiReference("#reference", {
  url: "/openapi.json",
  servers: [{ url: location.origin }],
  authentication: { preferredSecurityScheme: "API key" },
  persistAuth: false,
  documentDownloadType: "direct",
  modelsSectionLabel: "Shapes",
  orderSchemaPropertiesBy: "preserve",
  featuredClients: ["shell/curl", "python/httpx_sync", "js/fetch", "go/native"],
  // what would lead elsewhere
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  showDeveloperTools: "never",
});
