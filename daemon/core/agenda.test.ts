import t from 'tap'
import { Agenda } from './agenda.ts'

const touched = (podCidrs: string[], addresses: string[] = []) => ({
  podCidrs: new Set(podCidrs),
  addresses: new Set(addresses),
})

t.test('Agenda makes one piece of work of many changes', async t => {
  const agenda = new Agenda()
  t.ok(agenda.isEmpty)
  agenda.touched(touched(['10.244.1.0/24'], ['172.30.0.11']))
  agenda.touched(touched(['10.244.2.0/24', '10.244.1.0/24']))
  t.notOk(agenda.isEmpty)
  t.same(agenda.take(), { kind: 'change', ...touched(['10.244.1.0/24', '10.244.2.0/24'], ['172.30.0.11']) })
  t.ok(agenda.isEmpty)
})

t.test('Agenda.take() hands over everything in place of single changes, once', async t => {
  const agenda = new Agenda()
  agenda.touched(touched(['10.244.1.0/24']))
  agenda.everything()
  t.notOk(agenda.isEmpty)
  t.same(agenda.take(), { kind: 'full' })
  t.ok(agenda.isEmpty)
  t.same(agenda.take(), { kind: 'change', ...touched([]) })
})
