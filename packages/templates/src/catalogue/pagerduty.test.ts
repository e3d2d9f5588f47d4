import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { pagerduty } from './pagerduty.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: pagerduty,
    domains: ['pagerduty.com'],
    lines: [
      ['GET', '/incidents?statuses[]=triggered', 'incidents.read'],
      ['GET', '/incidents/PT4KHLK/alerts', 'incidents.read'],
      ['GET', '/oncalls', 'oncalls.read'],
      ['GET', '/schedules/PI7DH85', 'oncalls.read'],
      ['GET', '/services/PIJ90N7', 'services.read'],
      ['GET', '/teams/PQ9K7I8/members', 'services.read'],
      ['GET', '/users/PXPGF42', 'users.read'],
      ['GET', '/users/PXPGF42/contact_methods', 'contacts.read'],
      ['GET', '/services/PIJ90N7/integrations/PE1U9CH', 'integrations.read'],
      ['POST', '/analytics/metrics/incidents/all', 'analytics.read'],
      ['POST', '/analytics/raw/incidents', 'analytics.read'],
      ['POST', '/incidents', 'incidents.create'],
      ['PUT', '/incidents/PT4KHLK', 'incidents.update'],
      ['PUT', '/incidents', 'incidents.bulk'],
      ['PUT', '/incidents/PT4KHLK/alerts', 'incidents.bulk'],
      ['POST', '/incidents/PT4KHLK/notes', 'incidents.note'],
      ['POST', '/incidents/PT4KHLK/snooze', 'incidents.snooze'],
      ['PUT', '/incidents/PT4KHLK/merge', 'incidents.merge'],
      ['POST', '/incidents/PT4KHLK/responder_requests', 'incidents.page'],
      ['POST', '/incidents/PT4KHLK/status_updates', 'incidents.announce'],
      ['POST', '/schedules/PI7DH85/overrides', 'overrides.write'],
      ['DELETE', '/schedules/PI7DH85/overrides/PQ47DCP', 'overrides.write'],
      ['PUT', '/escalation_policies/PT20YPA', 'schedules.write'],
      ['DELETE', '/schedules/PI7DH85', 'schedules.write'],
      ['POST', '/maintenance_windows', 'maintenance.write'],
      ['PUT', '/services/PIJ90N7', 'services.write'],
      ['POST', '/services/PIJ90N7/integrations', 'services.write'],
      ['PUT', '/event_orchestrations/b02e973d/router', 'orchestrations.write'],
      ['POST', '/users', 'access.write'],
      ['PUT', '/teams/PQ9K7I8/users/PXPGF42', 'access.write'],
      ['POST', '/webhook_subscriptions', 'webhooks.write'],
      ['POST', '/extensions', 'webhooks.write'],
      ['POST', '/automation_actions/actions/01CSB5SMOKCKVRI5GN0LJG7SMB/invocations', 'automation.run'],
      ['POST', '/incident_workflows/PSFEVL7/instances', 'automation.run'],
      ['POST', '/status_pages/PR5LMML/posts', 'status-pages.write'],
      ['POST', '/tags', 'other.write'],
    ],
  });
  expect(faults).toEqual([]);
});
