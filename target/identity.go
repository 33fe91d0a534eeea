package target

// This file carries out the operations on how a drive presents itself;
// Target.ops is held.

func (op SetModel) apply(t *Target) error {
	return t.setIdentity(op.Drive, func(id *Identity) { id.Model = cut(op.Model, MaxModel) })
}

func (op SetSerial) apply(t *Target) error {
	return t.setIdentity(op.Drive, func(id *Identity) { id.Serial = cut(op.Serial, MaxSerial) })
}

func (op SetFirmware) apply(t *Target) error {
	return t.setIdentity(op.Drive, func(id *Identity) { id.Firmware = op.Firmware })
}

func (op SetKeep) apply(t *Target) error {
	d, err := t.findDrive(op.Drive)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	d.implicit = !op.Keep
	return nil
}

func (t *Target) setIdentity(name string, edit func(*Identity)) error {
	d, err := t.findDrive(name)
	if err != nil {
		return err
	}
	id := *d.identity.Load()
	edit(&id)
	d.identity.Store(&id)
	return nil
}
