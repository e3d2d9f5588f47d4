import { type Template, type TemplateInput, templateSchema } from '@postern/schemas';

/** A template that nothing is wrong with, changed by `members`. */
export function testTemplate(members: Partial<TemplateInput> = {}): Template {
  return templateSchema.parse({
    name: 'acme',
    version: 1,
    provider: 'Acme',
    title: 'Acme',
    sources: ['https://docs.acme.example/api'],
    baseUrl: 'https://api.acme.example/v1',
    hosts: ['api.acme.example', 'uploads.acme.example'],
    credential: { type: 'bearer' },
    actions: [
      { name: 'things.read', methods: ['GET', 'HEAD'], paths: ['/v1/things/**'], risk: 'low' },
      { name: 'things.write', methods: ['POST'], paths: ['/v1/things'], risk: 'medium' },
    ],
    limitSignals: [{ statuses: [420], wait: { header: 'x-wait', as: 'seconds' } }],
    ...members,
  });
}
