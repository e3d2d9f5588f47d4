/** Names under which clouds publish their metadata services. Refused before they are resolved; no option opens them. */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata', // Google, by its search domain
  'metadata.google.internal',
  'metadata.goog', // Google
  'instance-data', // AWS, by its search domain
  'instance-data.ec2.internal',
  'metadata.azure.internal',
  'metadata.tencentyun.com',
  'metadata.oraclecloud.com',
  'metadata.packet.net', // Equinix Metal
  'metadata.platformequinix.com',
  'api.metadata.cloud.ibm.com',
]);

/** Whether a canonical name (lower case, no dot at the end) is a metadata service or lies below one. */
export function isMetadataName(name: string): boolean {
  if (METADATA_NAMES.has(name)) return true;
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const parent = name.slice(dot + 1);
    if (parent.includes('.') && METADATA_NAMES.has(parent)) return true;
  }
  return false;
}
